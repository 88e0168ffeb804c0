"""Basic services: atomic files, locks and leases, object stores, JSON lines, TOML, checks of values, hints, the Hub.

This package imports only `errors` and `progress`.
"""
