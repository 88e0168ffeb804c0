"""The ground: whole files and locks, JSON lines, TOML, checks of values, hints, the hub. Imports `errors` only."""
