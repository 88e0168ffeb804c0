"""A task in a user's own project: a function to write, the tests that decide, and a budget."""
