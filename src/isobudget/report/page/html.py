"""Small pieces of HTML in which nothing from outside can become markup.

`Html` is text that is markup already; every other string is escaped the moment it is put into an element. Model names,
task ids and error texts come from models and files, and are taken for hostile.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def printable(text: str) -> str:
    """The text with control characters, and characters that turn the direction of writing, made visible."""
    return "".join(one if one.isprintable() or one in "\n\t\u00a0" else "\ufffd" for one in text)


def safe(text: str) -> Html:
    """The text as markup: escaped, unless it is `Html`."""
    return text if isinstance(text, Html) else Html(html.escape(printable(text)))


def join(parts: Iterable[str], between: str = "") -> Html:
    """Pieces put together, each made safe."""
    return Html(safe(between).join(safe(part) for part in parts))


def tag(name: str, *children: str, **attributes: str | None) -> Html:
    """An element. Attributes: `class_` for class, `aria_label` for aria-label; None leaves the attribute out."""
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{html.escape(printable(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{written}>{join(children)}</{name}>")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what it says.
        small: a second line in small print, such as an interval.
        best: whether it stands out.
        kind: a further CSS class.
    """

    text: str
    small: str = ""
    best: bool = False
    kind: str = ""

    def html(self, name: str, **attributes: str | None) -> Html:
        """As an element `td` or `th`."""
        main = tag("strong", self.text) if self.best else safe(self.text)
        parts = [main, tag("small", self.small)] if self.small else [main]
        return tag(name, *parts, class_=self.kind or None, **attributes)


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str | Cell]], note: str = "") -> Html:
    """A table in a box that scrolls by itself on a narrow page; the first cell of every row is its heading.

    Args:
        caption: a short title.
        columns: headings; that of a column of text (cells of the kind `text`) is aligned as they are.
        rows: as many cells as columns.
        note: what a reader has to know; stands below.
    """
    cells = [[_as_cell(one) for one in row] for row in rows]
    kinds = ["text" if any(row[at].kind == "text" for row in cells) else None for at in range(len(columns))]
    head = tag("tr", *(tag("th", text, scope="col", class_=kind) for text, kind in zip(columns, kinds, strict=True)))
    body = (
        tag("tr", *(one.html("td" if at else "th", scope=None if at else "row") for at, one in enumerate(row)))
        for row in cells
    )
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    box = tag("div", whole, class_="scroll", role="region", aria_label=caption, tabindex="0")
    return join([box, tag("p", note, class_="note")]) if note else box


def listing(pairs: Iterable[tuple[str, str]]) -> Html:
    """A list of terms and what they are."""
    return tag("dl", *(join([tag("dt", term), tag("dd", value)]) for term, value in pairs))


def _as_cell(value: str | Cell) -> Cell:
    return value if isinstance(value, Cell) else Cell(value)
