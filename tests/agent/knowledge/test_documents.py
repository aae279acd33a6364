"""PDF and DOCX become pages like any other: headings, lists, printed pages."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from agent.knowledge.chunks import read_page
from agent.knowledge.unreadable import Unreadable

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def make_pdf(sheets: Sequence[Sequence[tuple[int, str]]], password: str = "") -> bytes:
    """A PDF with these lines, (letter height, text), on its sheets."""
    writer = PdfWriter()
    helvetica = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    for lines in sheets:
        page = writer.add_blank_page(612, 792)
        y, drawn = 740, []
        for height, text in lines:
            y -= height + 4
            drawn.append(f"BT /F1 {height} Tf 1 0 0 1 72 {y} Tm ({text}) Tj ET")
        content = DecodedStreamObject()
        content.set_data("\n".join(drawn).encode())
        font = DictionaryObject({NameObject(k): NameObject(v) for k, v in helvetica.items()})
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Contents")] = writer._add_object(content)
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def make_docx(paragraphs: Sequence[tuple[str, str]]) -> bytes:
    """A DOCX with these paragraphs, (style, text)."""
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'
        for style, text in paragraphs
    )
    names = {style: style.replace("Heading", "heading ") for style, _ in paragraphs}
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{s}"><w:name w:val="{n}"/></w:style>' for s, n in names.items()
    )
    kinds = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        f'<Override PartName="/word/document.xml" ContentType="{kinds}.document.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r" Type="{_OFFICE}/officeDocument" '
        'Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="s" '
        f'Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
        "word/styles.xml": f'<w:styles xmlns:w="{_WORD}">{styles}</w:styles>',
        "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>',
    }
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return written.getvalue()


LEAFLET = [
    [
        (24, "Ski hire"),
        (16, "What does a day cost?"),
        (10, "Skis cost 32 euros a day."),
        (10, "Poles are free."),
    ],
    [(10, "Helmets cost 5 euros."), (16, "When do I return them?"), (10, "By six in the evening.")],
]


def test_a_pdf_s_large_letters_are_headings_and_each_chunk_knows_its_printed_page(tmp_path: Path) -> None:
    (tmp_path / "leaflet.pdf").write_bytes(make_pdf(LEAFLET))
    chunks = read_page(tmp_path / "leaflet.pdf", tmp_path)
    assert [(c.path, c.page, c.text) for c in chunks] == [
        ("Ski hire > What does a day cost?", 1, "Skis cost 32 euros a day. Poles are free."),
        ("Ski hire > What does a day cost?", 2, "Helmets cost 5 euros."),
        ("Ski hire > When do I return them?", 2, "By six in the evening."),
    ]


def test_a_docx_s_styles_are_headings(tmp_path: Path) -> None:
    paragraphs = [
        ("Heading1", "Ski hire"),
        ("Heading2", "What does a day cost?"),
        ("Normal", "Skis cost 32 euros."),
        ("Normal", "Poles are free."),
    ]
    (tmp_path / "hire.docx").write_bytes(make_docx(paragraphs))
    chunk = read_page(tmp_path / "hire.docx", tmp_path, language="en")[0]
    assert (chunk.path, chunk.text, chunk.page) == (
        "Ski hire > What does a day cost?",
        "Skis cost 32 euros. Poles are free.",
        0,
    )


@pytest.mark.parametrize(
    ("raw", "reason"), [(make_pdf(LEAFLET, password="secret"), "password"), (make_pdf([[]]), "text recognition")]
)
def test_a_pdf_that_gives_no_words_is_refused_with_the_remedy(tmp_path: Path, raw: bytes, reason: str) -> None:
    (tmp_path / "a.pdf").write_bytes(raw)
    with pytest.raises(Unreadable, match=reason):
        read_page(tmp_path / "a.pdf", tmp_path)
