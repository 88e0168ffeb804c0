"""The judge of another machine, for those that cannot confine samples. See docs/gateway.md."""

from typing import TYPE_CHECKING

from isobudget.lazy import lazy_names

if TYPE_CHECKING:
    from isobudget.remote.client import RemoteJudge

__getattr__ = lazy_names(__name__, {"RemoteJudge": "client"})

__all__ = ["RemoteJudge"]
