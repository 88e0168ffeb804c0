"""A decoder computed by matrix products in 32 bits, for log-probabilities without an engine's rounding.

llama.cpp rounds activations to 8 bits beside quantised weights, which moves a token's log-probability by some
hundredths of a nat, and has no fast kernel for every kind of weight. Here the weights are expanded to 32 bits once,
exactly, and a text is computed by the matrix products of numpy's BLAS: what a file says, to some 1e-5 nats.

Not covered: generating samples; models other than Llama- and Qwen2-style decoders; models too large to be expanded.
"""

from isobudget.backends.llamacpp.exact.network import KeysValues, Network
from isobudget.backends.llamacpp.exact.scoring import ExactScorer
from isobudget.backends.llamacpp.exact.weights import DecoderWeights, expanded_bytes, read_weights

__all__ = ["DecoderWeights", "ExactScorer", "KeysValues", "Network", "expanded_bytes", "read_weights"]
