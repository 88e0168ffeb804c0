"""Prompts: turn a problem into a model's prompt (`render`), and its answer into the program to judge (`extract`).

Formats are data (`find_format`, `formats`): some ship with isobudget, and users may write their own. See
docs/prompts.md.
"""

from isobudget.prompts.extraction.extract import Extracted, extract, extraction_by
from isobudget.prompts.formats import PromptFormat, PromptKind, find_format, formats
from isobudget.prompts.render import Rendered, render
from isobudget.prompts.show import ShownPrompt, show_prompt

__all__ = [
    "Extracted",
    "PromptFormat",
    "PromptKind",
    "Rendered",
    "ShownPrompt",
    "extract",
    "extraction_by",
    "find_format",
    "formats",
    "render",
    "show_prompt",
]
