"""Tables for the terminal, and sentences."""
