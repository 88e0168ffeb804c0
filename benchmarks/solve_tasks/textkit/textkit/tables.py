"""Tables of text."""

from textkit.words import truncate


def column_widths(rows):
    """The width of the longest cell of each column; rows may have different lengths."""
    columns = max((len(row) for row in rows), default=0)
    return [max((len(row[at]) for row in rows if at < len(row)), default=0) for at in range(columns)]


def align(rows, separator="  "):
    """Rows of cells as lines, every cell but the last one of a row padded on the right to its column's width."""
    widths = column_widths(rows)
    lines = []
    for row in rows:
        cells = [cell.ljust(widths[at]) for at, cell in enumerate(row[:-1])]
        lines.append(separator.join([*cells, *row[-1:]]))
    return lines


def parse_table(text):
    """A table in Markdown as a list of dicts by its headings; the line of dashes is left out, cells are stripped."""
    lines = [line.strip() for line in text.strip().splitlines()]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, body = rows[0], rows[2:]
    return [dict(zip(head, row)) for row in body]


def preview(rows, width=20):
    """Rows with every cell cut to at most `width` characters by `truncate`."""
    return [[truncate(cell, width) for cell in row] for row in rows]
