"""Tasks in a user's own project: writing a function that passes the project's tests, within a budget."""
