"""vLLM in this process, offline."""
