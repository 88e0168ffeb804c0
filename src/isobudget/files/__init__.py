"""The ground: whole files, locks and leases, object stores, JSON lines, TOML, checks of values, hints, the hub.

Imports `errors` only.
"""
