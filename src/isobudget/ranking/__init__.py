"""Chooses samples without tests in a run or in files, and measures the result."""
