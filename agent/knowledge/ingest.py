"""Reads a folder of pages into an index: what did not change is not embedded again, the switch is atomic.

DATA_DIR/knowledge/<hash of all that the version holds>/   chunks.json  vectors.npz
DATA_DIR/knowledge/current                                 the name of the version in use
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent.errors import OpenlineError
from agent.knowledge.chunks import Chunk, read_page
from agent.knowledge.index import EmbeddedIndex, Vectors, embedded_texts, vocabulary
from agent.knowledge.unreadable import Unreadable
from agent.understanding.embedding import Encoder

FORMAT = "3"
"""A version of another format is not opened: the pages are read anew."""
BATCH = 32
USUAL = (-2.6, -1.6)
"""What thresholds three businesses' questions call for; pages of few words would stray from it."""
_HIDDEN = (".", "_", "~")
OFF_TOPIC = (
    "What is the capital of France?", "Who won the football match last night?", "Tell me a joke.",
    "How tall is Mount Everest?", "What is the weather like tomorrow?", "Can you write a poem about the sea?",
    "What is the square root of 144?", "Who wrote Romeo and Juliet?", "How do I bake bread?",
    "Which stocks should I buy?", "Play some music for me.", "Translate good morning into Spanish.",
    "When does the next train to London leave?", "How do I change a flat tyre?", "Is there life on Mars?",
    "What should I name my dog?", "How many calories are in an apple?", "Who is the president?",
    "Book me a flight to Rome.", "How do I learn to play the guitar?", "What time is it in Tokyo?",
    "Can you help me with my homework?", "Which film should I watch tonight?", "How old is the universe?",
    "What does this word mean in Latin?", "Do you believe in ghosts?", "How do I lose weight quickly?",
    "Can you fix my computer?", "What is the meaning of life?", "How far away is the moon?",
    "Who invented the telephone?", "Give me the lottery numbers.", "Is it going to rain this weekend?",
    "How do I grow tomatoes?", "What is the exchange rate of the yen?", "Can I get a mortgage from you?",
    "Do you rent out cars?", "What is the speed limit on the motorway?", "Which vaccine do I need for Kenya?",
    "How do I write a cover letter?",
)  # fmt: skip
"""Questions that no business's pages answer: they calibrate "nothing fits"."""


class KnowledgeFault(OpenlineError):
    """The pages cannot be read; the message names the folder and the remedy."""


@dataclass
class Report:
    """What an ingestion did, by file."""

    new: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    chunks: int = 0


Progress = Callable[[str, int, int], None]
"""(what, done, of how many)."""


def ingest(
    folders: Sequence[Path], encoder: Encoder, home: Path, *, language: str = "en", progress: Progress = lambda *_: None
) -> tuple[EmbeddedIndex, Report]:
    """The index of all pages under the folders, written under `home`. Blocks; run it in a thread.

    Raises KnowledgeFault where a folder is missing or no page can be read.
    """
    report = Report()
    old = load_current(home)
    chunks = list(_read(folders, language, report, progress))
    if not chunks:
        raise KnowledgeFault(
            f"{', '.join(map(str, folders))}: no page can be read; put Markdown, HTML, PDF, DOCX or text there"
        )
    _compare(report, old.chunks if old else [], chunks)
    version = f"{FORMAT}-{_hash(chr(0).join(c.id for c in chunks))}"
    if old and _current(home) == version:
        return old, report
    index = _build(chunks, encoder, home, progress)
    draft = home / f".{version}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    index.save(draft)
    shutil.rmtree(home / version, ignore_errors=True)
    draft.replace(home / version)
    _point(home, version)
    return index, report


def load_current(home: Path) -> EmbeddedIndex | None:
    """The version in use; None before the first ingestion."""
    version = _current(home)
    return EmbeddedIndex.load(home / version) if version else None


def _current(home: Path) -> str | None:
    pointer = home / "current"
    version = pointer.read_text().strip() if pointer.is_file() else ""
    known = version.startswith(f"{FORMAT}-") and (home / version / "chunks.json").is_file()
    return version if known else None


def _point(home: Path, version: str) -> None:
    """Make a version the current one, atomically, and drop all but it and the one before."""
    before = _current(home)
    draft = home / ".current.draft"
    draft.write_text(version)
    draft.replace(home / "current")
    for folder in home.iterdir():
        if folder.is_dir() and folder.name not in (version, before, "texts"):
            shutil.rmtree(folder, ignore_errors=True)


def _read(folders: Sequence[Path], language: str, report: Report, progress: Progress) -> Iterable[Chunk]:
    for folder in folders:
        if not folder.exists():
            raise KnowledgeFault(f"{folder}: no such file or folder; make it and put Markdown pages into it")
        root = folder if folder.is_dir() else folder.parent
        paths = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
        paths = [p for p in paths if not p.name.startswith(_HIDDEN)]
        for n, path in enumerate(paths):
            progress("reading", n, len(paths))
            try:
                yield from read_page(path, root, language=language)
            except Unreadable as fault:
                report.unreadable[path.relative_to(root).as_posix()] = str(fault)


def _compare(report: Report, old: Sequence[Chunk], new: Sequence[Chunk]) -> None:
    before, after = _by_file(old), _by_file(new)
    report.chunks = len(new)
    report.new = [f for f, ids in after.items() if before.get(f) != ids]
    report.kept = [f for f, ids in after.items() if before.get(f) == ids]
    report.removed = [f for f in before if f not in after]


def _by_file(chunks: Sequence[Chunk]) -> dict[str, list[str]]:
    files: dict[str, list[str]] = {}
    for chunk in chunks:
        files.setdefault(chunk.file, []).append(chunk.id)
    return files


def _build(chunks: Sequence[Chunk], encoder: Encoder, home: Path, progress: Progress) -> EmbeddedIndex:
    texts = [embedded_texts(c) for c in chunks]
    vectors = _Embedded(encoder, home / "texts")
    needed = [t for whole, heading, sentences in texts for t in (whole, heading, *sentences) if t]
    terms = vocabulary(chunks)
    vectors.embed([*needed, *terms, *OFF_TOPIC], progress)
    rows = Vectors(
        np.stack([vectors[whole] for whole, _, _ in texts]),
        np.stack([vectors[heading] if heading else np.zeros_like(vectors[whole]) for whole, heading, _ in texts]),
        np.stack([vectors[s] for _, _, sentences in texts for s in sentences]),
        np.stack([vectors[word] for word in terms]),
    )
    vectors.save()
    index = EmbeddedIndex(chunks, rows, 0.0)
    index.threshold = _threshold(index, encoder)
    return index


def _threshold(index: EmbeddedIndex, encoder: Encoder) -> float:
    """What three quarters of the off-topic questions do not reach on these pages, within what is usual."""

    def encode(text: str) -> np.ndarray:
        vector: np.ndarray = encoder.encode([text])[0]
        return vector

    off = [index.search(q, encode(q), 1, encode=encode)[0].evidence for q in OFF_TOPIC]
    return float(np.clip(np.quantile(off, 0.75), *USUAL))


class _Embedded:
    """Vectors by text, kept on disk by content hash between ingestions."""

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self._encoder = encoder
        self._path = folder / "vectors.npz"
        self._known: dict[str, np.ndarray] = {}
        if self._path.is_file():
            with np.load(self._path) as kept:
                self._known = dict(zip(kept["hashes"].tolist(), kept["rows"], strict=True))
        self._used: set[str] = set()

    def embed(self, texts: Sequence[str], progress: Progress) -> None:
        missing = [t for t in dict.fromkeys(texts) if _hash(t) not in self._known]
        for start in range(0, len(missing), BATCH):
            progress("embedding", start, len(missing))
            batch = missing[start : start + BATCH]
            self._known.update(zip(map(_hash, batch), self._encoder.encode(batch), strict=True))
        progress("embedding", len(missing), len(missing))

    def __getitem__(self, text: str) -> np.ndarray:
        self._used.add(_hash(text))
        return self._known[_hash(text)]

    def save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        hashes = sorted(self._used)
        draft = self._path.with_name("draft.npz")
        np.savez(draft, hashes=np.array(hashes), rows=np.stack([self._known[h] for h in hashes]))
        draft.replace(self._path)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
