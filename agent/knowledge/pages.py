"""A file as a page: its title, its address, its language, and its lines as plain Markdown.

.md .txt ────────────────────────────────┐
.html ──> html.py ───────────────────────┼─> Page
.docx ──> documents.py ──> html.py ──────┤
.pdf ───> documents.py, sheet by sheet ──┘
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agent.knowledge.documents import read_docx, read_pdf
from agent.knowledge.html import read_html
from agent.knowledge.markdown import first_title, plain
from agent.knowledge.unreadable import Unreadable

MARKDOWN, HTML, TEXT = frozenset({".md", ".markdown"}), frozenset({".html", ".htm"}), frozenset({".txt"})
PDF, DOCX = ".pdf", ".docx"
MAX_BYTES = 5_000_000
MAX_DOCUMENT_BYTES = 50_000_000
"""PDF and DOCX carry pictures."""

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)?---[ \t]*(?:\n|\Z)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_LINK = re.compile(r"https?://|/(?!/)")


@dataclass(frozen=True)
class Page:
    """One file, read."""

    title: str
    url: str
    language: str
    audience: str
    sheets: Sequence[tuple[int, Sequence[str]]]
    """(number of the printed page, its lines); the number is 0 where the file has none."""


def open_page(path: Path, *, language: str) -> Page:
    """The file's page. Raises Unreadable with the reason.

    `language` holds where the file does not name its own.
    """
    suffix = path.suffix.lower()
    if suffix in HTML:
        meta, lines = read_html(_read_text(path))
        sheets: Sequence[tuple[int, Sequence[str]]] = [(0, lines)]
    elif suffix in MARKDOWN:
        meta, lines = _markdown(_read_text(path))
        sheets = [(0, lines)]
    elif suffix in TEXT:
        meta, lines = _text(_read_text(path))
        sheets = [(0, lines)]
    elif suffix == DOCX:
        meta, lines = read_html(read_docx(_read_bytes(path, MAX_DOCUMENT_BYTES)))
        sheets = [(0, lines)]
    elif suffix == PDF:
        meta, sheets = read_pdf(_read_bytes(path, MAX_DOCUMENT_BYTES))
    else:
        kind = suffix or "a file without a suffix"
        raise Unreadable(f"{kind} is not read; save it as Markdown, HTML, PDF, DOCX or plain text")
    return _page({"title": _name_as_title(path), "language": language, **meta}, sheets)


def _page(meta: Mapping[str, str], sheets: Sequence[tuple[int, Sequence[str]]]) -> Page:
    url = meta.get("url", "")
    return Page(
        title=plain(meta["title"]),
        url=url if _LINK.match(url) else "",
        language=meta["language"].split("-")[0].lower(),
        audience=meta.get("audience", ""),
        sheets=sheets,
    )


def _read_text(path: Path) -> str:
    raw = _read_bytes(path, MAX_BYTES)
    if b"\0" in raw:
        raise Unreadable("is not text")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as fault:
        raise Unreadable(f"is not UTF-8 (byte {fault.start}); save it as UTF-8") from fault


def _read_bytes(path: Path, limit: int) -> bytes:
    try:
        if path.stat().st_size > limit:
            raise Unreadable(f"is larger than {limit // 1_000_000} MB; split it")
        return path.read_bytes()
    except OSError as fault:
        raise Unreadable(fault.strerror or "cannot be opened") from fault


def _markdown(text: str) -> tuple[dict[str, str], list[str]]:
    meta, body = _front_matter(text)
    lines = _COMMENT.sub("", body).split("\n")
    title = first_title(lines)
    return {**({"title": title} if title else {}), **meta}, lines


def _text(text: str) -> tuple[dict[str, str], list[str]]:
    meta, body = _front_matter(text)
    lines = [re.sub(r"\A#", r"\\#", line) for line in body.strip().split("\n")]
    first = lines[0].strip()
    titled = len(lines) > 2 and not lines[1].strip() and len(first.split()) <= 10 and first[-1:] not in ".:;,"
    return ({"title": first, **meta}, lines[1:]) if titled else (meta, lines)


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """(its values as text, the rest). Raises Unreadable where it is not a YAML mapping."""
    found = _FRONT_MATTER.match(text)
    if found is None:
        return {}, text
    try:
        meta: Any = yaml.safe_load(found.group(1) or "") or {}
    except yaml.YAMLError as fault:
        raise Unreadable(f"its front matter is not YAML: {_yaml_problem(fault)}") from fault
    if not isinstance(meta, dict):
        raise Unreadable("its front matter is not a list of `key: value` lines")
    return {str(key): str(value).strip() for key, value in meta.items() if value not in (None, "")}, text[found.end() :]


def _yaml_problem(fault: yaml.YAMLError) -> str:
    mark = getattr(fault, "problem_mark", None)
    return f"{getattr(fault, 'problem', 'unknown')} in line {mark.line + 2}" if mark else "unknown"


def _name_as_title(path: Path) -> str:
    words = re.sub(r"[-_.\s]+", " ", path.stem).strip()
    return words[:1].upper() + words[1:]
