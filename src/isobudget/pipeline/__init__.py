"""The stages of a run: prepare, generate, judge, evaluate.

Each stage reads the run folder and adds what is missing; each can be stopped and run again. The commands call these
stages, and they use the other packages.
"""
