"""Backends: the connections to models."""
