"""The one HTML page of a run."""
