"""A page, cut along its headings into chunks that answer by themselves.

    page.md ┐
    page.txt├─> lines of plain Markdown ─> sections (title path, blocks) ─> chunks of <= 180 words
    page.html┘

A block is a paragraph, a list item, a step or a table row. Items and steps keep their marker ("- ", "2. ")
through to the answer, so that a list stays a list. Each block passes `strip_roles`: a page is data.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from selectolax.lexbor import LexborHTMLParser, LexborNode

from agent.safety.injection import strip_roles

MARKDOWN, HTML, TEXT = frozenset({".md", ".markdown"}), frozenset({".html", ".htm"}), frozenset({".txt"})
READABLE = MARKDOWN | HTML | TEXT
MAX_BYTES = 5_000_000
MAX_WORDS = 180
"""What MiniLM reads of a chunk (256 tokens), less room for its title path."""
OVERLAP_WORDS = 40

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)?---[ \t]*(?:\n|\Z)", re.DOTALL)
_HEADING = re.compile(r"(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*\Z")
_UNDERLINE = re.compile(r"(=+|-+)[ \t]*\Z")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_ITEM = re.compile(r"[ \t]*([-*+•]|\d{1,3}[.)])[ \t]+(.+)\Z")
_RULE = re.compile(r"[ \t]*(?:[-*_][ \t]*){3,}\Z")
_TABLE_LINE = re.compile(r"[ \t|:-]*-[ \t|:-]*\Z")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_LINK = re.compile(r"https?://|/(?!/)")
_MARKER = re.compile(r"\A(?:- |\d{1,3}\. )")
_NUMBER = re.compile(r"\A\d{1,3}\. ")
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
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]”’]*\s+(?=[\"'(\[“‘]?[A-Z0-9À-ÞА-Я$€£])|(?<=[。！？])")
_ABBREVIATION = re.compile(
    r"(?:\A|[\s(\"'“])(?:(?:Mrs?|Ms|Dr|Prof|St|No|Nos|Inc|Ltd|Co|vs|approx|incl|excl|min|max|ext|Ave|Blvd|Rd|Ste|"
    r"e\.g|i\.e|etc|cf|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun)|[A-Za-z]|"
    r"(?:[A-Za-z]\.){1,4}[A-Za-z])\.\Z",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b[ap]\.m\.\Z", re.IGNORECASE)
_STARTS = frozenset(
    "A After All An And Any As At Before Both But By Each Every For From However If In It Its No Not On Once Only "
    "Orders Otherwise Our Please Some The Then There These They This Those To Until We When While With You Your".split()
)
"""Words that begin a new sentence after "5 p.m."."""


class Unreadable(Exception):
    """A file that gives no chunks; its message is the reason, for the operator."""


@dataclass(frozen=True)
class Chunk:
    """A piece of a page that can be found and quoted."""

    id: str
    """A hash of all that is below."""
    source: str
    """The page's title."""
    path: str
    """Titles from the page down to the section: "Shipping > How long does it take?"."""
    file: str
    """Relative to the folder that was read."""
    url: str
    language: str
    audience: str
    text: str
    """The section's words, without its heading; lists and rows one a line."""
    sentences: tuple[str, ...]
    """The same, cut up; list items and steps with their marker."""

    @property
    def heading(self) -> str:
        """The section's own heading; empty where the text stands under the page's title alone."""
        return self.path.removeprefix(self.source).removeprefix(" > ").rpartition(" > ")[2]

    @property
    def embedded_text(self) -> str:
        """What the chunk's vector is made of."""
        return f"{self.path.replace(' > ', '. ')}\n{self.text}"


@dataclass(frozen=True)
class _Page:
    title: str
    url: str
    language: str
    audience: str
    lines: Sequence[str]


@dataclass
class _Section:
    headings: tuple[str, ...]
    blocks: list[str] = field(default_factory=list)


def read_page(path: Path, folder: Path, *, language: str = "en") -> list[Chunk]:
    """The chunks of one file, in order. Raises Unreadable with the reason.

    `language` holds where the page does not name its own.
    """
    text = _read_text(path)
    suffix = path.suffix.lower()
    if suffix in HTML:
        page = _html_page(text, path, language)
    elif suffix in MARKDOWN:
        page = _markdown_page(text, path, language)
    elif suffix in TEXT:
        page = _text_page(text, path, language)
    else:
        raise Unreadable(f"{suffix or 'a file without a suffix'} is not read; save it as Markdown, HTML or plain text")
    chunks = list(_chunks(page, path.relative_to(folder).as_posix()))
    if not chunks:
        raise Unreadable("holds no text")
    return chunks


def split_sentences(text: str) -> list[str]:
    """A paragraph's sentences; abbreviations, initials and "2 p.m. Eastern" end none."""
    sentences: list[str] = []
    start = 0
    for end in _SENTENCE_END.finditer(text):
        before, after = text[start : end.start()], text[end.end() :]
        if not _ends_sentence(before, after):
            continue
        sentences.append(text[start : end.end()].strip())
        start = end.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence]


def bare(sentence: str) -> str:
    """A sentence without its list marker."""
    return _MARKER.sub("", sentence)


def is_item(sentence: str) -> bool:
    """Whether it is a list item or a step."""
    return _MARKER.match(sentence) is not None


def is_step(sentence: str) -> bool:
    """Whether it is one of numbered steps."""
    return _NUMBER.match(sentence) is not None


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Unreadable(f"is larger than {MAX_BYTES // 1_000_000} MB; split it")
        raw = path.read_bytes()
    except OSError as fault:
        raise Unreadable(fault.strerror or "cannot be opened") from fault
    if b"\0" in raw:
        raise Unreadable("is not text")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as fault:
        raise Unreadable(f"is not UTF-8 (byte {fault.start}); save it as UTF-8") from fault


def _markdown_page(text: str, path: Path, language: str) -> _Page:
    meta, body = _front_matter(text)
    lines = _COMMENT.sub("", body).split("\n")
    title = meta.get("title", "") or _first_title(lines) or _name_as_title(path)
    return _page(title, meta, language, lines)


def _text_page(text: str, path: Path, language: str) -> _Page:
    meta, body = _front_matter(text)
    lines = [re.sub(r"\A#", r"\\#", line) for line in body.strip().split("\n")]
    first = lines[0].strip()
    titled = len(lines) > 2 and not lines[1].strip() and len(first.split()) <= 10 and first[-1:] not in ".:;,"
    title = meta.get("title", "") or (first if titled else "") or _name_as_title(path)
    rest = lines[1:] if titled else lines
    return _page(title, meta, language, rest)


def _page(title: str, meta: Mapping[str, str], language: str, lines: Sequence[str]) -> _Page:
    url = meta.get("url", "")
    return _Page(
        title=_plain(title),
        url=url if _LINK.match(url) else "",
        language=meta.get("language", language).split("-")[0].lower(),
        audience=meta.get("audience", ""),
        lines=lines,
    )


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
    return {str(key): str(value).strip() for key, value in meta.items() if value is not None}, text[found.end() :]


def _yaml_problem(fault: yaml.YAMLError) -> str:
    mark = getattr(fault, "problem_mark", None)
    return f"{getattr(fault, 'problem', 'unknown')} in line {mark.line + 2}" if mark else "unknown"


def _first_title(lines: Iterable[str]) -> str:
    return next((_plain(h.group(2)) for line in lines if (h := _HEADING.match(line)) and len(h.group(1)) == 1), "")


def _name_as_title(path: Path) -> str:
    words = re.sub(r"[-_.\s]+", " ", path.stem).strip()
    return words[:1].upper() + words[1:]


def _html_page(text: str, path: Path, language: str) -> _Page:
    tree = LexborHTMLParser(text)
    for gone in tree.css("script, style, noscript, template, nav, header nav, footer, aside, form, svg, button"):
        gone.decompose()
    root = tree.css_first("main") or tree.css_first("article") or tree.body
    html = tree.css_first("html")
    link = tree.css_first("link[rel=canonical]")
    lines = list(_html_lines(root)) if root else []
    title = _first_title(lines) or _folded(tree.css_first("title")) or _name_as_title(path)
    meta = {
        "url": (link.attributes.get("href") if link else "") or "",
        "language": (html.attributes.get("lang") if html else "") or language,
    }
    return _page(title, meta, language, lines)


def _folded(node: LexborNode | None) -> str:
    return " ".join(node.text().split()) if node else ""


_HTML_BLOCKS = frozenset(
    "p div section article main body ul ol dl table thead tbody tfoot tr blockquote pre figure figcaption details "
    "summary header address fieldset h1 h2 h3 h4 h5 h6 li dt dd hr".split()
)


def _html_lines(root: LexborNode) -> Iterator[str]:
    """An element as lines of plain Markdown; inline text of one block stands on one line."""
    words: list[str] = []

    def flush() -> Iterator[str]:
        line = " ".join("".join(words).split())
        words.clear()
        if line:
            yield _escaped(line)
            yield ""

    for child in root.iter(include_text=True):
        tag = child.tag or ""
        if tag == "br":
            yield from flush()
        elif tag not in _HTML_BLOCKS:
            words.append(child.text())
        else:
            yield from flush()
            yield from _html_block(child, tag)
    yield from flush()


def _html_block(node: LexborNode, tag: str) -> Iterator[str]:
    match tag:
        case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
            yield f"{'#' * int(tag[1])} {_folded(node)}"
        case "summary" | "dt":
            yield f"###### {_folded(node)}"
        case "ul" | "ol":
            yield from _html_items(node, ordered=tag == "ol")
        case "table":
            yield from _html_table(node)
        case _:
            yield from _html_lines(node)


def _html_items(node: LexborNode, *, ordered: bool) -> Iterator[str]:
    number = 0
    for item in node.iter():
        if item.tag != "li":
            continue
        number += 1
        nested = [child for child in item.iter() if child.tag in ("ul", "ol")]
        inner = [list(_html_items(child, ordered=child.tag == "ol")) for child in nested]
        for child in nested:
            child.decompose()
        yield f"{number}. {_folded(item)}" if ordered else f"- {_folded(item)}"
        for lines in inner:
            yield from (line for line in lines if line)
    yield ""


def _html_table(node: LexborNode) -> Iterator[str]:
    rows = [[_folded(cell) for cell in row.css("th, td")] for row in node.css("tr")]
    headed = node.css_first("tr th") is not None
    for n, cells in enumerate(rows):
        yield "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
        if n == 0 and headed:
            yield "|" + "---|" * len(cells)
    yield ""


def _escaped(line: str) -> str:
    """Text that only looks like Markdown's marks stays text."""
    return re.sub(r"\A(#|\||```|~~~|[-*+] |[-=]+\Z)", r"\\\1", line)


def _chunks(page: _Page, file: str) -> Iterator[Chunk]:
    for section in _sections(page):
        titles = (page.title, *section.headings)
        for sentences in _windows(_cut(section.blocks)):
            chunk = Chunk(
                id="",
                source=page.title,
                path=" > ".join(titles),
                file=file,
                url=page.url,
                language=page.language,
                audience=page.audience,
                text=joined(sentences),
                sentences=tuple(sentences),
            )
            yield replace(chunk, id=_hash(chunk))


def _hash(chunk: Chunk) -> str:
    parts = (chunk.file, chunk.path, chunk.url, chunk.language, chunk.audience, *chunk.sentences)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def joined(sentences: Sequence[str]) -> str:
    """Sentences as readable text: prose flows, items and rows stand on lines of their own."""
    text = ""
    for n, sentence in enumerate(sentences):
        if n == 0:
            text = sentence
        elif is_item(sentence):
            text += "\n" + sentence
        elif is_item(sentences[n - 1]):
            text += "\n\n" + sentence
        else:
            text += " " + sentence
    return text


def _sections(page: _Page) -> list[_Section]:
    """The page's sections in order; the page's own title is no heading of theirs."""
    sections = [_Section(())]
    open_levels: list[tuple[int, str]] = []
    for level, text in _blocks(page.lines):
        if level == 0:
            sections[-1].blocks.append(text)
            continue
        open_levels = [(lv, title) for lv, title in open_levels if lv < level]
        if text == page.title and not open_levels:
            headings: tuple[str, ...] = ()
        else:
            open_levels.append((level, text))
            headings = tuple(title for _, title in open_levels)
        sections.append(_Section(headings))
    return [section for section in sections if section.blocks]


def _blocks(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(heading level, its text), or (0, a block)."""
    paragraph: list[str] = []
    table: list[str] = []
    fenced = False

    def flush() -> Iterator[tuple[int, str]]:
        if paragraph:
            yield 0, _plain(" ".join(paragraph))
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
            yield len(heading.group(1)), _plain(heading.group(2))
        elif len(paragraph) == 1 and not is_item(paragraph[0]) and (under := _UNDERLINE.match(line)):
            yield (1 if under.group(1)[0] == "=" else 2), _plain(paragraph.pop())
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


def _rows(lines: Sequence[str]) -> Iterator[str]:
    """A table's rows as items, the head's names beside their values: "- Express: Cost $14.95, Time 2 days"."""
    cells = [[_plain(cell.strip()) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines]
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


def _plain(text: str) -> str:
    """Text without Markdown's inline marks and without anything that poses as a role."""
    for pattern, shown in _INLINE:
        text = pattern.sub(shown, text)
    return " ".join(strip_roles(text).split())


def _cut(blocks: Sequence[str]) -> Iterator[str]:
    """Blocks as sentences of at most MAX_WORDS words; an item is one."""
    for block in blocks:
        for sentence in [block] if is_item(block) else split_sentences(block):
            words = sentence.split()
            for start in range(0, len(words), MAX_WORDS):
                yield sentence if len(words) <= MAX_WORDS else " ".join(words[start : start + MAX_WORDS])


def _windows(sentences: Iterable[str]) -> Iterator[list[str]]:
    """Runs of sentences of at most MAX_WORDS words; each begins with the end of the one before."""
    window: list[str] = []
    fresh = 0
    for sentence in sentences:
        if fresh and _count(window) + len(sentence.split()) > MAX_WORDS:
            yield window
            window, fresh = _tail(window, room=MAX_WORDS - len(sentence.split())), 0
        window.append(sentence)
        fresh += 1
    if fresh:
        yield window


def _tail(window: Sequence[str], room: int) -> list[str]:
    tail: list[str] = []
    for sentence in reversed(window):
        if _count(tail) + len(sentence.split()) > min(OVERLAP_WORDS, room):
            break
        tail.insert(0, sentence)
    return tail


def _count(sentences: Sequence[str]) -> int:
    return sum(len(sentence.split()) for sentence in sentences)


def _ends_sentence(before: str, after: str) -> bool:
    if _CLOCK.search(before):
        return after.split(maxsplit=1)[0].strip("\"'(“") in _STARTS
    return _ABBREVIATION.search(before[-12:]) is None
