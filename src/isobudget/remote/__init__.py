"""A judge on another machine, for machines that cannot confine samples. See docs/gateway.md."""

from typing import TYPE_CHECKING

from isobudget.lazy import lazy_package

if TYPE_CHECKING:
    from isobudget.remote.client import RemoteJudge

__getattr__, __dir__ = lazy_package(__name__, {"RemoteJudge": "client"})

__all__ = ["RemoteJudge"]
