"""What a sample costs: flops, seconds, device seconds, tokens, usd or joules, each with the source of the figure.

All functions are pure, except that they read a costs file or profile that the caller names.
"""
