"""Other tools' files, and COUNTS."""
