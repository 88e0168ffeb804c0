"""Extracts the program to judge from a model's output."""
