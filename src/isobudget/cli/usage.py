"""The usage line of a command: its arguments with their own placeholders, in brackets if they are optional."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from typer.core import TyperArgument, TyperCommand

#: commands that only end by Ctrl-C
_ENDLESS = frozenset(("serve", "view", "mcp"))
#: message after Ctrl-C, for commands that leave finished work
_LEFT = {
    "compact": "The run is intact; run the same command to resume.",
    "export": "Files that were written are complete; run the same command again for the rest.",
    "check": "The run is unchanged; run the same command again.",
    "fetch": "Parts that were fetched are kept; run the same command to resume.",
}

if TYPE_CHECKING:
    from collections.abc import Iterator


class Command(TyperCommand):
    """A command whose placeholders themselves show what can be repeated: ``SOURCE... NAME@K``."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The parts of the usage line after the command's name."""
        return [self.options_metavar or "", *_arguments(self.params)]

    def invoke(self, ctx: Any) -> Any:
        """Run the command. After Ctrl-C, print what to do next, unless the command does so itself."""
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
