"""Act on results: plan how to spend a budget."""
