"""Lines of Markdown as blocks: headings, paragraphs, list items, steps, table rows.

Every block passes `strip_roles`: a page is data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from agent.knowledge.sentences import is_item
from agent.safety.injection import strip_roles

_HEADING = re.compile(r"(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*\Z")
_UNDERLINE = re.compile(r"(=+|-+)[ \t]*\Z")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_ITEM = re.compile(r"[ \t]*([-*+•]|\d{1,3}[.)])[ \t]+(.+)\Z")
_RULE = re.compile(r"[ \t]*(?:[-*_][ \t]*){3,}\Z")
_TABLE_LINE = re.compile(r"[ \t|:-]*-[ \t|:-]*\Z")
_INLINE = (
    (re.compile(r"!\[([^\]\n]{0,300})\]\([^)\n]{0,2000}\)"), r"\1"),
    (re.compile(r"\[([^\]\n]{1,300})\]\([^)\n]{0,2000}\)"), r"\1"),
    (re.compile(r"\[([^\]\n]{1,300})\]\[[^\]\n]{0,100}\]"), r"\1"),
    (re.compile(r"<(https?://[^>\s]{1,2000}|[^>\s@]{1,200}@[^>\s]{1,200})>"), r"\1"),
    (re.compile(r"</?[A-Za-z][^<>\n]{0,500}>"), ""),
    (re.compile(r"(\*\*|__)(?=\S)([^\n]{1,1000}?\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]{1,500})(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<!\w)_(?=[^\s_])([^_\n]{1,500})(?<=\S)_(?!\w)"), r"\1"),
    (re.compile(r"`([^`\n]{1,500})`"), r"\1"),
    (re.compile(r"\\([\\`*_{}\[\]()#+.!|~=-])"), r"\1"),
)


def blocks(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(heading level, its text), or (0, a block)."""
    paragraph: list[str] = []
    table: list[str] = []
    fenced = False

    def flush() -> Iterator[tuple[int, str]]:
        if paragraph:
            yield 0, plain(" ".join(paragraph))
            paragraph.clear()
        for row in _rows(table):
            yield 0, row
        table.clear()

    for line in lines:
        line = line.rstrip()
        if _FENCE.match(line):
            yield from flush()
            fenced = not fenced
        elif not line.strip():
            yield from flush()
        elif fenced:
            paragraph.append(line.strip())
        elif heading := _HEADING.match(line):
            yield from flush()
            yield len(heading.group(1)), plain(heading.group(2))
        elif len(paragraph) == 1 and not is_item(paragraph[0]) and (under := _UNDERLINE.match(line)):
            yield (1 if under.group(1)[0] == "=" else 2), plain(paragraph.pop())
        elif _RULE.match(line):
            yield from flush()
        elif line.lstrip().startswith("|"):
            if paragraph:
                yield from flush()
            table.append(line.strip())
        elif item := _ITEM.match(line):
            yield from flush()
            mark = item.group(1)
            paragraph.append(f"{mark[:-1]}. {item.group(2)}" if mark[0].isdigit() else f"- {item.group(2)}")
        else:
            if table:
                yield from flush()
            paragraph.append(re.sub(r"\A[ \t]*(?:>[ \t]?)*", "", line).strip())
    yield from flush()


def first_title(lines: Iterable[str]) -> str:
    return next((plain(h.group(2)) for line in lines if (h := _HEADING.match(line)) and len(h.group(1)) == 1), "")


def plain(text: str) -> str:
    """Text without Markdown's inline marks and without anything that poses as a role."""
    for pattern, shown in _INLINE:
        text = pattern.sub(shown, text)
    return " ".join(strip_roles(text).split())


def _rows(lines: Sequence[str]) -> Iterator[str]:
    """A table's rows as items, the head's names beside their values: "- Express: Cost $14.95, Time 2 days"."""
    cells = [[plain(cell.strip()) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines]
    headed = len(lines) > 1 and _TABLE_LINE.match(lines[1]) is not None
    head = cells[0] if headed else []
    for row in cells[2:] if headed else cells:
        rest = [
            f"{head[n]} {value}" if len(row) > 2 and n < len(head) and head[n] else value
            for n, value in enumerate(row)
            if n > 0 and value
        ]
        if row[0] or rest:
            yield f"- {': '.join(part for part in (row[0], ', '.join(rest)) if part)}"
