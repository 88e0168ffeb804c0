"""isobudget."""
