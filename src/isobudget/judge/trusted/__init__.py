"""The trusted side: knows the tests, and never runs a line of the sample."""
