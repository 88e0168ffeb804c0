"""Rewards for reinforcement learning on code: verdicts of the judge as numbers. See docs/rewards.md."""

from typing import TYPE_CHECKING

from isobudget.lazy import lazy_package

if TYPE_CHECKING:
    from isobudget.rewards.from_verdicts import Reward, compute_score, reward
    from isobudget.rewards.pool import JudgePool
    from isobudget.rewards.shared import SharedPool

__getattr__, __dir__ = lazy_package(
    __name__,
    {
        "JudgePool": "pool",
        "Reward": "from_verdicts",
        "SharedPool": "shared",
        "compute_score": "from_verdicts",
        "reward": "from_verdicts",
    },
)

__all__ = ["JudgePool", "Reward", "SharedPool", "compute_score", "reward"]
