"""A page, cut along its headings into chunks that answer by themselves.

    file ─> Page (pages.py) ─> sections (title path, blocks) ─> chunks of <= 180 words

A block is a paragraph, a list item, a step or a table row. Items and steps keep their marker ("- ", "2. ")
through to the answer, so that a list stays a list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.knowledge.markdown import blocks
from agent.knowledge.pages import Page, open_page
from agent.knowledge.sentences import is_item, joined, split_sentences
from agent.knowledge.unreadable import Unreadable

MAX_WORDS = 180
"""What MiniLM reads of a chunk (256 tokens), less room for its title path."""
OVERLAP_WORDS = 40


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
    page: int
    """The printed page, from 1; 0 where the file has none."""
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


@dataclass
class _Section:
    headings: tuple[str, ...]
    page: int
    blocks: list[str] = field(default_factory=list)


def read_page(path: Path, folder: Path, *, language: str = "en") -> list[Chunk]:
    """The chunks of one file, in order. Raises Unreadable with the reason.

    `language` holds where the page does not name its own.
    """
    chunks = list(_chunks(open_page(path, language=language), path.relative_to(folder).as_posix()))
    if not chunks:
        raise Unreadable("holds no text; a scanned page needs text recognition first")
    return chunks


def _chunks(page: Page, file: str) -> Iterator[Chunk]:
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
                page=section.page,
                text=joined(sentences),
                sentences=tuple(sentences),
            )
            yield replace(chunk, id=_hash(chunk))


def _hash(chunk: Chunk) -> str:
    parts = (chunk.file, chunk.path, chunk.url, chunk.language, chunk.audience, str(chunk.page), *chunk.sentences)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _sections(page: Page) -> list[_Section]:
    """The page's sections in order; the page's own title is no heading of theirs.

    A section that goes on overleaf is a section of each sheet.
    """
    sections: list[_Section] = []
    open_levels: list[tuple[int, str]] = []
    for number, lines in page.sheets:
        sections.append(_Section(tuple(title for _, title in open_levels), number))
        for level, text in blocks(lines):
            if level == 0:
                sections[-1].blocks.append(text)
                continue
            open_levels = [(lv, title) for lv, title in open_levels if lv < level]
            if text != page.title or open_levels:
                open_levels.append((level, text))
            sections.append(_Section(tuple(title for _, title in open_levels), number))
    return [section for section in sections if section.blocks]


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
