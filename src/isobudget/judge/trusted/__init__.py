"""The trusted side: it knows the tests, and never runs any code of the sample."""
