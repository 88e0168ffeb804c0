"""The kinds of tests, one a file."""
