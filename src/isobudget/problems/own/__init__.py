"""A user's own problems: JSON lines, or a folder of Python files."""
