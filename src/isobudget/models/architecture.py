"""The shape of a model: the numbers that decide what a token costs.

A decoder of the Llama kind: attention with grouped key and value heads, an MLP that is gated or not, optionally a
mixture of experts, optionally layers with a sliding window. `params` counts every weight that a published parameter
count includes except the bias vectors of some families (below 0.1 %).

Not covered: encoder-decoder models, state-space layers, latent attention (DeepSeek-V2 and later), layers of unequal
width.
"""

from __future__ import annotations

from dataclasses import dataclass

from isobudget.errors import InputError


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of one model.

    Attributes:
        name: for messages and labels.
        layers: number of transformer blocks.
        hidden: width of the residual stream (d).
        mlp_width: width of the MLP, or of one expert (f).
        heads: query heads (H).
        kv_heads: key and value heads, at most `heads`.
        head_size: width of one head; `heads * head_size` need not equal `hidden`.
        vocabulary: rows of the output layer (V).
        gated_mlp: three MLP matrices (gate, up, down) instead of two.
        experts: experts per layer, 0 for a dense model.
        active_experts: experts that one token passes through.
        shared_mlp_width: width of an MLP that every token passes through beside the experts, 0 if none.
        sliding_window: tokens that a windowed layer looks back on, itself included; 0 if there is no window.
        windowed_layers: how many of the layers have the window.
        tied_embeddings: whether the output layer shares its weights with the input embedding.
        source: where the numbers come from.
    """

    name: str
    layers: int
    hidden: int
    mlp_width: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    gated_mlp: bool = True
    experts: int = 0
    active_experts: int = 0
    shared_mlp_width: int = 0
    sliding_window: int = 0
    windowed_layers: int = 0
    tied_embeddings: bool = False
    source: str = "given"

    def __post_init__(self) -> None:
        for field in ("layers", "hidden", "mlp_width", "heads", "kv_heads", "head_size", "vocabulary"):
            if getattr(self, field) < 1:
                raise self._wrong(f"{field} must be at least 1, not {getattr(self, field)}")
        if self.kv_heads > self.heads or self.heads % self.kv_heads:
            raise self._wrong(f"{self.heads} query heads cannot share {self.kv_heads} key and value heads evenly")
        if not 0 <= self.active_experts <= self.experts or (self.experts > 0) != (self.active_experts > 0):
            raise self._wrong(f"{self.active_experts} active of {self.experts} experts is not possible")
        if not 0 <= self.windowed_layers <= self.layers or (self.windowed_layers > 0) != (self.sliding_window > 0):
            raise self._wrong(
                f"{self.windowed_layers} layers with a window of {self.sliding_window} tokens is not possible"
            )

    def _wrong(self, what: str) -> InputError:
        return InputError(f"architecture {self.name!r} ({self.source}): {what}")

    @property
    def query_width(self) -> int:
        """Width of all query heads together (q)."""
        return self.heads * self.head_size

    @property
    def kv_width(self) -> int:
        """Width of all key heads together, and the same for values (d_kv)."""
        return self.kv_heads * self.head_size

    @property
    def attention_weights(self) -> int:
        """Weights of the four attention matrices of one layer: 2 d q + 2 d d_kv."""
        return 2 * self.hidden * (self.query_width + self.kv_width)

    @property
    def active_mlp_weights(self) -> int:
        """MLP weights of one layer that one token is multiplied with: its active experts and the router."""
        width = self.mlp_width * max(self.active_experts, 1) + self.shared_mlp_width
        return self._mlp_matrices * self.hidden * width + self.hidden * self.experts

    @property
    def layer_weights(self) -> int:
        """Weights of one layer that one token is multiplied with."""
        return self.attention_weights + self.active_mlp_weights

    @property
    def head_weights(self) -> int:
        """Weights of the output layer: d V."""
        return self.hidden * self.vocabulary

    @property
    def params(self) -> int:
        """All weights: embeddings, layers with all experts, norms and output layer; bias vectors are left out."""
        width = self.mlp_width * max(self.experts, 1) + self.shared_mlp_width
        mlp = self._mlp_matrices * self.hidden * width + self.hidden * self.experts
        embeddings = self.head_weights * (1 if self.tied_embeddings else 2)
        return embeddings + self.layers * (self.attention_weights + mlp) + (2 * self.layers + 1) * self.hidden

    @property
    def active_params(self) -> int:
        """Weights that one token is multiplied with, output layer included: what one decoding step has to read."""
        return self.layers * self.layer_weights + self.head_weights

    @property
    def _mlp_matrices(self) -> int:
        return 3 if self.gated_mlp else 2
