"""The usage line of a command: its arguments as their placeholders state them, in brackets if they may be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperArgument, TyperCommand

if TYPE_CHECKING:
    from collections.abc import Iterator


class Command(TyperCommand):
    """A command whose placeholders say themselves what can be repeated: ``SOURCE... NAME@K``."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """What follows the command's name."""
        return [self.options_metavar or "", *_arguments(self.params)]


def _arguments(parameters: list[Any]) -> Iterator[str]:
    for one in parameters:
        if isinstance(one, TyperArgument) and not one.hidden:
            shown = one.metavar or str(one.name).upper()
            yield shown if one.required else f"[{shown}]"
