"""The stages that make a run: prepare, generate, judge.

Each stage reads the run folder and adds what is missing; each can be stopped and run again. The commands call these
stages, and the stages use the other packages.
"""
