"""A step of TRL's GRPO trainer on a tiny random model, with these rewards. `make test-trl` makes the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isobudget.rewards import Reward
from support.tiny_hf import CHAT_TEMPLATE, write_llama, write_tokenizer

MALFORMED = -0.25


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("messages", [False, True])
def test_a_trainer_takes_a_step_on_verdicts(tmp_path: Path, messages: bool) -> None:
    trl, datasets = pytest.importorskip("trl"), pytest.importorskip("datasets")
    tokenizer = write_tokenizer(tmp_path / "model", CHAT_TEMPLATE)
    tokenizer.pad_token = tokenizer.eos_token
    write_llama(tmp_path / "model", len(tokenizer))
    text = "def add(a, b):\n"
    prompt = [{"role": "user", "content": text}] if messages else text
    data = datasets.Dataset.from_list([{"prompt": prompt, "tests": "assert add(2, 3) == 5"}] * 4)
    seen: list[Any] = []

    class Seen(Reward):
        """The reward, which remembers what the trainer gave it and got."""

        def __call__(self, completions: Any, tests: Any, **more: Any) -> list[float]:
            rewards = super().__call__(completions, tests, **more)
            seen.append((completions, tests, rewards))
            return rewards

    config = trl.GRPOConfig(
        output_dir=str(tmp_path / "out"),
        per_device_train_batch_size=4,
        num_generations=4,
        max_completion_length=12,
        max_steps=1,
        logging_steps=1,
        use_cpu=True,
        bf16=False,
        report_to="none",
        save_strategy="no",
    )
    trainer = trl.GRPOTrainer(
        model=str(tmp_path / "model"),
        reward_funcs=[Seen(malformed=MALFORMED)],
        args=config,
        train_dataset=data,
        processing_class=tokenizer,
    )
    trainer.train()
    assert trainer.state.global_step == 1
    (completions, tests, rewards), *_ = seen
    assert len(completions) == len(tests) == len(rewards) == 4
    assert set(tests) == {"assert add(2, 3) == 5"}
    assert set(rewards) <= {MALFORMED, 0.0}
    logged = next(one for one in trainer.state.log_history if "reward" in one)
    assert logged["rewards/isobudget_reward/mean"] == pytest.approx(sum(rewards) / 4)
    right = "```python\ndef add(a, b):\n    return a + b\n```"
    assert Reward()([[{"role": "assistant", "content": right}] if messages else right], ["assert add(2, 3) == 5"]) == [
        1.0
    ]
