"""The shape of a model: the numbers that determine the cost of a token.

Covers decoders of the Llama kind: attention with grouped key and value heads, or latent attention (DeepSeek-V2 and
later); an MLP that is gated or not; optionally a mixture of experts, with shared experts or some dense layers;
optionally layers with a sliding window, or that attend within chunks. `params` counts every weight that a published
parameter count includes except the bias vectors of some families (below 0.1 %).

With latent attention (Liu et al. 2024), the keys and values of all heads are computed from one vector per token, of the
small width c, and all heads share the rotated part of a key. The weights of a layer are: d q for queries, or d r + r q
if they are computed from a vector of width r; d (c + rope) + c H (nope + v) for keys and values, where rope and nope
are the sizes of a key's rotated and other part, and v is the size of a value; H v d for the output. Flops of attention
are counted for these keys and values, as the model is defined. Engines that fold the matrices into the query need more
flops per key and fewer per token.

Not covered: encoder-decoder models, state-space layers and linear attention, layers of otherwise unequal width.
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
        shared_mlp_width: width of an MLP that every token passes through beside the experts (of all shared experts
            together), 0 if none.
        dense_layers: how many layers of a mixture have one MLP in place of experts.
        dense_mlp_width: width of the MLP of these dense layers.
        sliding_window: tokens that a token attends to in a windowed layer, itself included; 0 if there is no window.
        windowed_layers: how many of the layers have the window.
        chunked: whether the windowed layers attend within chunks of `sliding_window` tokens instead (Llama 4).
        latent_kv: width of the vector from which latent attention computes keys and values (c); 0 without latent
            attention. With latent attention, `head_size` is the size of a key.
        latent_query: width of the vector from which latent attention computes queries (r); 0 if there is no such
            vector.
        rotated_size: the part of a key that all heads share in latent attention.
        value_size: width of a value, if it differs from `head_size`; otherwise 0.
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
    dense_layers: int = 0
    dense_mlp_width: int = 0
    sliding_window: int = 0
    windowed_layers: int = 0
    chunked: bool = False
    latent_kv: int = 0
    latent_query: int = 0
    rotated_size: int = 0
    value_size: int = 0
    tied_embeddings: bool = False
    source: str = "given"

    def __post_init__(self) -> None:
        for field in ("layers", "hidden", "mlp_width", "heads", "kv_heads", "head_size", "vocabulary"):
            if getattr(self, field) < 1:
                raise self._wrong(f"{field} must be at least 1, not {getattr(self, field)}")
        if self.kv_heads > self.heads or self.heads % self.kv_heads:
            raise self._wrong(f"{self.heads} query heads cannot share {self.kv_heads} key and value heads evenly")
        if not 0 <= self.active_experts <= self.experts or (self.experts > 0) != (self.active_experts > 0):
            raise self._wrong(f"{self.experts} experts with {self.active_experts} active ones do not fit together")
        if not 0 <= self.windowed_layers <= self.layers or (self.windowed_layers > 0) != (self.sliding_window > 0):
            windowed = f"{self.windowed_layers} of {self.layers} layers, {self.sliding_window} tokens"
            raise self._wrong(f"windowed layers and their window do not fit together: {windowed}")

        if (
            not 0 <= self.dense_layers <= self.layers * (self.experts > 0)
            or self.dense_layers * self.dense_mlp_width < 0
        ):
            raise self._wrong(f"dense layers ({self.dense_layers}) and experts ({self.experts}) do not fit together")
        if self.dense_layers and not self.dense_mlp_width:
            raise self._wrong("dense_layers needs dense_mlp_width")
        if min(self.latent_kv, self.latent_query, self.value_size) < 0 or not 0 <= self.rotated_size <= self.head_size:
            raise self._wrong(
                "latent_kv, latent_query and value_size must be at least 0, "
                f"and rotated_size from 0 to head_size ({self.head_size})"
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
    def value_width(self) -> int:
        """Width of the values of all query heads together: q if a value is as wide as a key."""
        return self.heads * (self.value_size or self.head_size)

    @property
    def attention_flops_per_key(self) -> int:
        """Flops of one layer for each key that a token attends to: its score and its weighted value, 4 q as a rule."""
        return 2 * (self.query_width + self.value_width)

    @property
    def cached_width(self) -> int:
        """Numbers cached per token in one layer: keys and values, or what they are computed from."""
        return self.latent_kv + self.rotated_size if self.latent_kv else 2 * self.kv_width

    @property
    def attention_weights(self) -> int:
        """Weights of the attention matrices of one layer: 2 d q + 2 d d_kv; for latent attention, see the module."""
        if not self.latent_kv:
            return 2 * self.hidden * (self.query_width + self.kv_width)
        d, q, made = self.hidden, self.query_width, self.heads * (self.head_size - self.rotated_size)
        queries = d * self.latent_query + self.latent_query * q if self.latent_query else d * q
        keys = d * (self.latent_kv + self.rotated_size) + self.latent_kv * (made + self.value_width)
        return queries + keys + self.value_width * d

    @property
    def active_mlp_weights(self) -> int:
        """MLP weights of all layers that one token is multiplied with: active experts and routers, dense layers."""
        return self._mlp_weights(max(self.active_experts, 1))

    @property
    def layers_weights(self) -> int:
        """Weights of all layers that one token is multiplied with."""
        return self.layers * self.attention_weights + self.active_mlp_weights

    @property
    def head_weights(self) -> int:
        """Weights of the output layer: d V."""
        return self.hidden * self.vocabulary

    @property
    def params(self) -> int:
        """All weights: embeddings, layers with all experts, norms and output layer; bias vectors are left out."""
        embeddings = self.head_weights * (1 if self.tied_embeddings else 2)
        layers = self.layers * self.attention_weights + self._mlp_weights(max(self.experts, 1))
        return embeddings + layers + (2 * self.layers + 1) * self.hidden

    @property
    def active_params(self) -> int:
        """Weights that one token is multiplied with, output layer included; a decoding step has to read all of them."""
        return self.layers_weights + self.head_weights

    @property
    def active_width(self) -> int:
        """MLP neurons of all layers that one token passes through."""
        return self._neurons(max(self.active_experts, 1))

    def _neurons(self, experts: int) -> int:
        mixed = self.layers - self.dense_layers
        return mixed * (self.mlp_width * experts + self.shared_mlp_width) + self.dense_layers * self.dense_mlp_width

    def _mlp_weights(self, experts: int) -> int:
        """MLP weights of all layers with this many experts each, and of their routers."""
        matrices = 3 if self.gated_mlp else 2
        routers = (self.layers - self.dense_layers) * self.experts
        return self.hidden * (matrices * self._neurons(experts) + routers)
