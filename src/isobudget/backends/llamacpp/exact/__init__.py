"""A decoder computed by matrix products in 32 bits, for log-probabilities without an engine's rounding.

llama.cpp rounds activations to 8 bits beside quantised weights, which changes a token's log-probability by a few
hundredths of a nat, and lacks fast kernels for some kinds of weights. This package expands the weights to 32 bits
once, exactly, and computes a text by matrix products of NumPy's BLAS, which is accurate to about 1e-5 nats.

Not covered: generating samples; models other than Llama- and Qwen2-style decoders; models too large to be expanded.
"""

from isobudget.backends.llamacpp.exact.network import KeysValues, Network
from isobudget.backends.llamacpp.exact.scoring import ExactScorer
from isobudget.backends.llamacpp.exact.weights import DecoderWeights, expanded_bytes, read_weights

__all__ = ["DecoderWeights", "ExactScorer", "KeysValues", "Network", "expanded_bytes", "read_weights"]
