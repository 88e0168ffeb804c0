"""Load a run once, price it, compare its models."""
