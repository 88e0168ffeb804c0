"""From a model's output to the program to judge."""
