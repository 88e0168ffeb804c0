"""What a sample costs: flops, seconds, device seconds, tokens, usd or joules, each with the source of the figure.

Pure apart from the costs file or profile that a caller names.
"""
