"""A small package for `make demo`: two functions have no body yet, and tests that say what they do."""
