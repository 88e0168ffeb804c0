"""The ground floor: whole files and locks, JSON lines, TOML, spelling hints, the hub. Imports `errors` only."""
