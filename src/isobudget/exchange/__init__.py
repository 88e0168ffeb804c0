"""Results in and out of run folders: imported, exported, asked by SQL."""
