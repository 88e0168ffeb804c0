"""Settings of vLLM."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from isobudget.backends.settings import Hardware, HubSettings, Needs, Pacing, Positive, Text


class VllmSettings(HubSettings):
    """A model run with vLLM.

    Attributes:
        tensor_parallel: number of devices that share the model.
        memory_fraction: fraction of each device's memory that vLLM uses.
        dtype: number type in vLLM's notation; ``auto`` is that of the stored weights.
        quantization: quantization in vLLM's notation (`fp8`, `awq`, ...); None takes the one stated in the weights.
        context_tokens: tokens for prompt and completion of a sample; None means the model's maximum.
        concurrency: maximum number of samples generated at the same time.
    """

    needs: ClassVar[Needs] = Needs(("vllm",), "vllm", "running models with vLLM")
    opens: ClassVar[str] = "isobudget.backends.vllm.backend:Vllm"
    # vLLM finds shared prompts itself, so groups may be small; with more calls in flight it always has a next sample
    pace: ClassVar[Pacing] = Pacing(16, by_calls=False, ahead=2.0, on_cores=False)
    recorded: ClassVar[tuple[str, ...]] = (*HubSettings.recorded, "quantization")

    backend: Literal["vllm"] = "vllm"
    tensor_parallel: Positive = 1
    memory_fraction: Annotated[float, Field(gt=0, le=1)] = 0.9
    dtype: Text = "auto"
    quantization: Text | None = None
    context_tokens: Annotated[int, Field(ge=64)] | None = None
    concurrency: Positive = 256

    @property
    def devices(self) -> int:
        """The number of devices that share the model."""
        return self.tensor_parallel

    def gpus_held(self, there_are: bool) -> int:  # noqa: ARG002
        """The number of devices that share the model; vLLM needs all of them on every machine."""
        return self.tensor_parallel

    def hardware(self) -> Hardware | None:
        """The named GPU, with the number of devices that share the model."""
        return Hardware(self.gpu, self.tensor_parallel, self.concurrency) if self.gpu else None

    def engine_arguments(self) -> dict[str, Any]:
        """The arguments of `vllm.LLM`, as of vLLM 0.33."""
        return {
            "model": self.model,
            "revision": self.revision,
            "tokenizer_revision": self.revision,
            "tensor_parallel_size": self.tensor_parallel,
            "dtype": self.dtype,
            "quantization": self.quantization,
            "max_model_len": self.context_tokens,
            "gpu_memory_utilization": self.memory_fraction,
            "max_num_seqs": self.concurrency,
            "enable_prefix_caching": True,
            # the model's own sampling defaults would be applied to every request otherwise
            "generation_config": "vllm",
            "logprobs_mode": "raw_logprobs",
            "trust_remote_code": False,
            "disable_log_stats": True,
        }
