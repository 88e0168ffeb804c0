"""APPS: its three splits."""
