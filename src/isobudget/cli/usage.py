"""The usage line of a command: its arguments as their placeholders state them, in brackets if they may be missing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from typer.core import TyperArgument, TyperCommand

#: commands that end in no other way
_ENDLESS = frozenset(("serve", "view", "mcp"))
#: what stands after Ctrl-C where it is more than nothing
_LEFT = {
    "compact": "The run is intact; run the same command to resume.",
    "export": "Files that were written are complete; run the same command again for the rest.",
    "check": "The run is unchanged; run the same command again.",
}

if TYPE_CHECKING:
    from collections.abc import Iterator


class Command(TyperCommand):
    """A command whose placeholders say themselves what can be repeated: ``SOURCE... NAME@K``."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """What follows the command's name."""
        return [self.options_metavar or "", *_arguments(self.params)]

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C ends it with a word on what is left, where the command has none of its own."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            if ctx.info_name in _ENDLESS:
                raise
            left = _LEFT.get(ctx.info_name, "Nothing unfinished was written; run the same command again.")
            print(f"\nInterrupted. {left}", file=sys.stderr, flush=True)
            raise SystemExit(130) from None


def _arguments(parameters: list[Any]) -> Iterator[str]:
    for one in parameters:
        if isinstance(one, TyperArgument) and not one.hidden:
            shown = one.metavar or str(one.name).upper()
            yield shown if one.required else f"[{shown}]"
