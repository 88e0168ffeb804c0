"""Tasks in a user's own project: writes a function that passes the project's tests, within a budget."""
