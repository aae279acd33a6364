"""Ingestion: only what changed is embedded, and readers never see half a version."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.knowledge.ingest import KnowledgeFault, ingest, load_current
from agent.understanding.embedding import HashEncoder, Vectors

CLINIC = Path(__file__).parent / "clinic"


class Counting(HashEncoder):
    """Remembers what it was asked to encode."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return super().encode(texts)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CLINIC, tmp_path / "pages"))


def test_a_second_ingestion_of_the_same_pages_embeds_nothing(pages: Path, tmp_path: Path) -> None:
    ingest([pages], HashEncoder(), tmp_path / "home")
    counting = Counting()
    _, report = ingest([pages], counting, tmp_path / "home")
    assert counting.texts == [] and report.new == [] and len(report.kept) == 6


def test_a_changed_page_is_read_anew_and_a_vanished_one_goes(pages: Path, tmp_path: Path) -> None:
    ingest([pages], HashEncoder(), tmp_path / "home")
    (pages / "children.md").unlink()
    with (pages / "costs.md").open("a") as page:
        page.write("\n## Do you sell toothbrushes?\nYes, at the desk, for 4 euros.\n")
    counting = Counting()
    index, report = ingest([pages], counting, tmp_path / "home")
    assert (report.new, report.removed) == (["costs.md"], ["children.md"])
    assert {chunk.file for chunk in index.chunks}.isdisjoint({"children.md"})
    assert "Yes, at the desk, for 4 euros." in " ".join(counting.texts)
    assert "Thirty minutes" not in " ".join(counting.texts)


def test_what_was_written_is_what_is_opened(pages: Path, tmp_path: Path) -> None:
    index, _ = ingest([pages], HashEncoder(), tmp_path / "home")
    opened = load_current(tmp_path / "home")
    assert opened is not None
    assert (opened.chunks, opened.threshold) == (index.chunks, index.threshold)


def test_an_ingestion_that_fails_leaves_the_version_before_in_use(pages: Path, tmp_path: Path) -> None:
    class Failing(HashEncoder):
        def encode(self, texts: Sequence[str]) -> Vectors:
            raise RuntimeError("no room")

    before, _ = ingest([pages], HashEncoder(), tmp_path / "home")
    (pages / "new.md").write_text("# New\n\nNobody has read this.\n")
    with pytest.raises(RuntimeError):
        ingest([pages], Failing(), tmp_path / "home")
    opened = load_current(tmp_path / "home")
    assert opened is not None and opened.chunks == before.chunks


def test_an_unreadable_file_is_named_and_the_rest_goes_in(pages: Path, tmp_path: Path) -> None:
    (pages / "leaflet.pdf").write_bytes(b"%PDF-1.7")
    _, report = ingest([pages], HashEncoder(), tmp_path / "home")
    assert list(report.unreadable) == ["leaflet.pdf"] and len(report.new) == 6


def test_a_missing_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeFault, match=r"nowhere.*make it"):
        ingest([tmp_path / "nowhere"], HashEncoder(), tmp_path / "home")
