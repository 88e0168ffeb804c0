"""The ground: whole files and locks, the hub. Imports errors only."""
