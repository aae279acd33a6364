"""PDF and DOCX, read by pypdf and mammoth; both are imported when the first such file comes."""

from __future__ import annotations

import io
import logging
import zipfile
from collections import Counter
from collections.abc import Sequence
from typing import Any

from agent.knowledge.html import escaped
from agent.knowledge.unreadable import Unreadable

MAX_PAGES = 500
MAX_UNPACKED_BYTES = 200_000_000
"""A DOCX is an archive; a larger one is a trap."""
_HEADING_FROM = 1.12
"""Letters larger than the body's by this much are a heading's."""
_HEADING_WORDS = 16
_PARAGRAPH_GAP = 1.6
"""A step down of more than this many letter heights begins a paragraph."""
_BULLETS = "•‣◦▪●–"

Line = tuple[str, float, float]
"""(text, height of its letters, how far below the line before it stands), in points."""


def read_docx(raw: bytes) -> str:
    """The document as HTML, its headings, lists and tables kept. Raises Unreadable."""
    import mammoth

    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise Unreadable("unpacks to far more than a document holds")
        html = mammoth.convert_to_html(
            io.BytesIO(raw), convert_image=mammoth.images.img_element(lambda image: {"src": ""})
        )
    except Unreadable:
        raise
    except Exception as fault:  # mammoth lets whatever its XML reader meets through
        raise Unreadable("is not a sound DOCX file; open it and save it anew") from fault
    return str(html.value)


def read_pdf(raw: bytes) -> tuple[dict[str, str], list[tuple[int, list[str]]]]:
    """(title and language as far as it names them, the lines of each printed page). Raises Unreadable."""
    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(io.BytesIO(raw))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("is locked by a password")
        if len(reader.pages) > MAX_PAGES:
            raise Unreadable(f"has more than {MAX_PAGES} pages; split it")
        pages = [_pdf_lines(page) for page in reader.pages]
        title = str(reader.metadata.title or "").strip() if reader.metadata else ""
        language = str(reader.root_object.get("/Lang", "") or "")
    except Unreadable:
        raise
    except Exception as fault:  # pypdf lets whatever a broken file provokes through
        raise Unreadable("is not a sound PDF file; print it to PDF anew") from fault
    body, levels = _letter_heights(pages)
    sheets = [(n, _as_markdown(lines, body, levels)) for n, lines in enumerate(pages, 1)]
    first = next((line[2:] for _, lines in sheets for line in lines if line.startswith("# ")), "")
    meta = {"title": first or title, "language": language}
    return {key: value for key, value in meta.items() if value}, sheets


def _pdf_lines(page: Any) -> list[Line]:
    """The page's lines in reading order."""
    lines: list[Line] = []
    words, height, baseline, above = "", 0.0, 0.0, 0.0

    def end_line() -> None:
        nonlocal words, height, above
        if words.strip():
            lines.append((" ".join(words.split()), height, above - baseline if above else 0.0))
            above = baseline
        words, height = "", 0.0

    def visit(text: str, cm: Sequence[float], tm: Sequence[float], _font: Any, size: float) -> None:
        nonlocal words, height, baseline
        for n, piece in enumerate(text.split("\n")):
            if n:
                end_line()
            if piece.strip():
                height = max(height, abs(size * tm[3] * cm[3]))
                baseline = tm[5] * cm[3] + cm[5]
            words += piece

    page.extract_text(visitor_text=visit)
    end_line()
    return lines


def _letter_heights(pages: Sequence[Sequence[Line]]) -> tuple[float, dict[float, int]]:
    """(the body's height, heading levels by height): most letters are the body's, the largest a title's."""
    letters: Counter[float] = Counter()
    for lines in pages:
        for text, height, _ in lines:
            letters[round(height, 1)] += len(text)
    body = letters.most_common(1)[0][0] if letters else 0.0
    larger = sorted((height for height in letters if height > body * _HEADING_FROM), reverse=True)
    return body, {height: min(level, 6) for level, height in enumerate(larger, 1)}


def _as_markdown(lines: Sequence[Line], body: float, levels: dict[float, int]) -> list[str]:
    written: list[str] = []
    open_level = 0
    for text, height, step in lines:
        level = levels.get(round(height, 1), 0) if len(text.split()) <= _HEADING_WORDS else 0
        if level and level == open_level and step <= _PARAGRAPH_GAP * height:
            written[-1] += f" {text}"
            continue
        if level:
            written += ["", f"{'#' * level} {text}"]
        elif text[0] in _BULLETS:
            written += ["", f"- {text[1:].strip()}"]
        else:
            if open_level or step > _PARAGRAPH_GAP * body:
                written.append("")
            written.append(escaped(text))
        open_level = level
    return written
