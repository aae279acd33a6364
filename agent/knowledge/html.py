"""HTML as lines of plain Markdown, without navigation, scripts and forms."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from agent.knowledge.markdown import first_title

_BLOCKS = frozenset(
    "p div section article main body ul ol dl table thead tbody tfoot tr blockquote pre figure figcaption details "
    "summary header address fieldset h1 h2 h3 h4 h5 h6 li dt dd hr".split()
)


def read_html(text: str) -> tuple[dict[str, str], list[str]]:
    """(title, url and language as far as it names them, its main text as lines of Markdown)."""
    tree = LexborHTMLParser(text)
    for gone in tree.css("script, style, noscript, template, nav, header nav, footer, aside, form, svg, button"):
        gone.decompose()
    root = tree.css_first("main") or tree.css_first("article") or tree.body
    html = tree.css_first("html")
    link = tree.css_first("link[rel=canonical]")
    lines = list(_lines(root)) if root else []
    meta = {
        "title": first_title(lines) or _folded(tree.css_first("title")),
        "url": (link.attributes.get("href") if link else "") or "",
        "language": (html.attributes.get("lang") if html else "") or "",
    }
    return {key: value for key, value in meta.items() if value}, lines


def _folded(node: LexborNode | None) -> str:
    return " ".join(node.text().split()) if node else ""


def _lines(root: LexborNode) -> Iterator[str]:
    """An element as lines of plain Markdown; inline text of one block stands on one line."""
    words: list[str] = []

    def flush() -> Iterator[str]:
        line = " ".join("".join(words).split())
        words.clear()
        if line:
            yield escaped(line)
            yield ""

    for child in root.iter(include_text=True):
        tag = child.tag or ""
        if tag == "br":
            yield from flush()
        elif tag not in _BLOCKS:
            words.append(child.text())
        else:
            yield from flush()
            yield from _block(child, tag)
    yield from flush()


def _block(node: LexborNode, tag: str) -> Iterator[str]:
    match tag:
        case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
            yield f"{'#' * int(tag[1])} {_folded(node)}"
        case "summary" | "dt":
            yield f"###### {_folded(node)}"
        case "ul" | "ol":
            yield from _items(node, ordered=tag == "ol")
        case "table":
            yield from _table(node)
        case _:
            yield from _lines(node)


def _items(node: LexborNode, *, ordered: bool) -> Iterator[str]:
    number = 0
    for item in node.iter():
        if item.tag != "li":
            continue
        number += 1
        nested = [child for child in item.iter() if child.tag in ("ul", "ol")]
        inner = [list(_items(child, ordered=child.tag == "ol")) for child in nested]
        for child in nested:
            child.decompose()
        yield f"{number}. {_folded(item)}" if ordered else f"- {_folded(item)}"
        for lines in inner:
            yield from (line for line in lines if line)
    yield ""


def _table(node: LexborNode) -> Iterator[str]:
    rows = [[_folded(cell) for cell in row.css("th, td")] for row in node.css("tr")]
    headed = node.css_first("tr th") is not None
    for n, cells in enumerate(rows):
        yield "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
        if n == 0 and headed:
            yield "|" + "---|" * len(cells)
    yield ""


def escaped(line: str) -> str:
    """Text that only looks like Markdown's marks stays text."""
    return re.sub(r"\A(#|\||```|~~~|[-*+] |[-=]+\Z)", r"\\\1", line)
