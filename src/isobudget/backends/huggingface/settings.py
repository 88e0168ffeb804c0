"""Settings of models run with `transformers`."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from isobudget.backends.settings import Hardware, HubSettings, Needs, Pacing, Positive, Text


class TransformersSettings(HubSettings):
    """A causal model run with `transformers`.

    Attributes:
        dtype: number type; ``auto`` is that of the stored weights.
        device: a device in PyTorch's notation, such as `cuda:1`; ``auto`` takes a CUDA device if there is one, else the
            CPU.
        batch: maximum number of samples generated at the same time.
    """

    needs: ClassVar[Needs] = Needs(("torch", "transformers"), "transformers", "running models with transformers")
    opens: ClassVar[str] = "isobudget.backends.huggingface.backend:HuggingFace"
    pace: ClassVar[Pacing] = Pacing(16, by_calls=False, ahead=1.0, on_cores=True)

    backend: Literal["transformers"] = "transformers"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: Text = "auto"
    batch: Positive = 16

    def pacing(self) -> Pacing:
        """The pacing: groups have the size of a batch, and CPU cores are occupied unless a CUDA device is named."""
        return replace(self.pace, group=self.batch, on_cores=not self.device.startswith("cuda"))

    def gpus_held(self, there_are: bool) -> int:
        """One GPU, if a CUDA device is named or the machine has GPUs."""
        return int(self.device.startswith("cuda") or (self.device == "auto" and there_are))

    def hardware(self) -> Hardware | None:
        """The GPU that `gpu` names; None if it names none."""
        return Hardware(self.gpu, 1, self.batch) if self.gpu else None
