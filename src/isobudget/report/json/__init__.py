"""JSON forms of results."""
