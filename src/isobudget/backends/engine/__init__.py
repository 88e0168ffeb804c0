"""Shared parts of the engines in this process: inboxes, clocks, detokenizing."""
