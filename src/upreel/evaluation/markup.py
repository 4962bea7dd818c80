"""HTML in small pieces: everything that comes from outside is escaped here."""

import html
from collections.abc import Sequence

__all__ = ["escape", "table"]


def escape(text: object) -> str:
    """Text for an element or a quoted attribute."""
    return html.escape(str(text))


def table(
    header: Sequence[str],
    rows: Sequence[tuple[str, Sequence[str]]],
    *,
    text_columns: Sequence[int] = (),
) -> str:
    """A table that scrolls sideways where it is too wide.

    Args:
        header: of each column, plain text.
        rows: class of the row and its cells, ready HTML; one cell alone spans all columns.
        text_columns: columns that are aligned to the left.

    Example:
        >>> table(["a"], [("", ["1"])])
        '<div class="scroll"><table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table></div>'
    """  # noqa: E501 (one line of HTML)

    def cell(kind: str, column: int, inner: str, span: int = 1) -> str:
        attributes = ' class="text"' if column in text_columns else ""
        attributes += f' colspan="{span}"' if span > 1 else ""
        return f"<{kind}{attributes}>{inner}</{kind}>"

    lines: list[str] = []
    for name, cells in rows:
        attribute = f' class="{name}"' if name else ""
        span = len(header) if len(cells) == 1 else 1
        inner = "".join(cell("td", n, text, span) for n, text in enumerate(cells))
        lines.append(f"<tr{attribute}>{inner}</tr>")
    head = "".join(cell("th", n, escape(text)) for n, text in enumerate(header))
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
