"""Plain-text tables for terminals: columns aligned, figures to the right."""

from collections.abc import Sequence

__all__ = ["text_table"]


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with its first column to the left, all others to the right.

    Example:
        >>> print(text_table(("model", "dB"), [("bicubic", "23.78")]))
        model       dB
        -------  -----
        bicubic  23.78
    """
    widths = [max(len(row[n]) for row in (header, *rows)) for n in range(len(header))]
    lines: list[str] = []
    for row in (header, ["-" * width for width in widths], *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
