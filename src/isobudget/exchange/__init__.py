"""Moves results in and out of run folders: import, export, SQL."""
