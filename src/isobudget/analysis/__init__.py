"""Loads a run once, prices it, and compares its models."""
