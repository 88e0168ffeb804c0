"""Token counts that a server does not state: counted by its own tokenizer, or estimated from the text's length.

All samples of a prompt have the same count. If a server states less than half of what it stated for another sample of
the same prompt, it leaves out cached tokens (Ollama states 0, or only new tokens); the larger count is then used for
both.
"""

from __future__ import annotations

from collections.abc import Callable

from isobudget.backends.base import CHARACTERS_PER_TOKEN, Prompt, characters
from isobudget.backends.server.scoring import ServerScorer
from isobudget.errors import BackendError

_PER_TOKEN = f"one for every {CHARACTERS_PER_TOKEN:g} characters"


class Counting:
    """Counts for one server.

    Args:
        scorer: queries the server's tokenizer.
        note: receives notes for the user.
    """

    def __init__(self, scorer: ServerScorer, note: Callable[[str], None]) -> None:
        self._scorer = scorer
        self._note = note
        self._prompts: dict[Prompt, int] = {}

    async def prompt(self, prompt: Prompt, stated: list[int]) -> list[int]:
        """The prompt tokens of each sample of one prompt.

        Args:
            prompt: the prompt of all samples.
            stated: the server's count for each sample, 0 if not stated.
        """
        most = max([*stated, self._prompts.get(prompt, 0)])
        if most == 0:
            most = await self._count(prompt, "prompts")
        self._prompts[prompt] = most
        if any(0 < 2 * count < most for count in stated) or (0 in stated and any(stated)):
            self._note(
                "the server leaves cached tokens out of its prompt count: "
                "another sample's count of the same prompt is used"
            )
        return [most if 2 * count < most else count for count in stated]

    async def completion(self, text: str) -> int:
        """The tokens of a text, including the reasoning before it."""
        return await self._count(text, "samples") if text else 0

    async def _count(self, text: Prompt, what: str) -> int:
        try:
            count = await self._scorer.count(text, special=what == "prompts")
        except BackendError:
            self._note(
                f"the server does not state the tokens of {what} and has no /tokenize: they are estimated, "
                f"{_PER_TOKEN}, and so are all costs that follow from them"
            )
            return max(1, round(characters(text) / CHARACTERS_PER_TOKEN))
        self._note(f"the server does not state the tokens of {what}: they are counted by its /tokenize")
        return max(1, count)
