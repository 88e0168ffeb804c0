"""The stages of a run: prepare, generate, judge, evaluate.

Each reads the run folder and adds what is missing; each can be stopped and run again. They tie the rooms together and
are what the commands call.
"""
