"""`scripts/bench retrieval`: what is found, what is refused, how fast, and how often a spoken turn waits for it.

Quality is measured on questions that calibrated nothing; speed on synthetic chunks of random words and vectors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from agent.errors import OpenlineError
from agent.knowledge.chunks import Chunk
from agent.knowledge.index import EmbeddedIndex, Vectors, vocabulary
from agent.knowledge.ingest import ingest
from agent.knowledge.prefetch import Prefetch
from agent.knowledge.retrieval import Found, Retrieval
from agent.knowledge.words import content_words, stem
from agent.understanding.embedding import DIMENSIONS, MiniLM
from pipelines.settings import ROOT, Settings

SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000}
SEARCHES = 60
TICK_SECS = 0.005
WORD_SECS = 0.06
"""Between two interim words: a fast speaker, so that the search has little time."""
VOICE_TURNS = 30


@dataclass(frozen=True)
class QuestionSet:
    """`answered` are (the page's file name or how it begins, question)."""

    answered: Sequence[tuple[str, str]]
    unanswered: Sequence[str]

    @classmethod
    def read(cls, path: Path) -> QuestionSet:
        read = yaml.safe_load(path.read_text("utf-8"))
        return cls([(str(page), str(q)) for page, q in read["answered"]], [str(q) for q in read["unanswered"]])


def quality(questions: QuestionSet, index: EmbeddedIndex, retrieval: Retrieval, encoder: MiniLM) -> dict[str, float]:
    """recall_at_3 and mrr count the page before anything is refused; the two shares what is refused after."""
    ranks, overlaps = [], []
    for page, question in questions.answered:
        hits = index.search(question, encoder.encode([question])[0], 3, encode=retrieval.encode)
        ranks.append(next((n for n, hit in enumerate(hits, 1) if hit.chunk.file.startswith(page)), 0))
        overlaps.append(_overlap(question, [c for c in index.chunks if c.file.startswith(page)]))
    refused = [not isinstance(retrieval.search_now(q), Found) for q in questions.unanswered]
    false = [not isinstance(retrieval.search_now(q), Found) for _, q in questions.answered]
    return {
        "recall_at_3": _mean([rank > 0 for rank in ranks]),
        "mrr": _mean([1 / rank if rank else 0.0 for rank in ranks]),
        "refused": _mean(refused),
        "false_refusals": _mean(false),
        "word_overlap": _mean(overlaps),
    }


def _overlap(question: str, chunks: Sequence[Chunk]) -> float:
    asked = {stem(word) for word in content_words(question)}
    told = {stem(word) for c in chunks for word in content_words(f"{c.path} {c.text}")}
    return len(asked & told) / len(asked) if asked else 0.0


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 3) if len(values) else 0.0


def synthetic(size: int, rng: np.random.Generator) -> EmbeddedIndex:
    """An index of that many chunks of 60 words from a vocabulary of 5,000."""
    terms = np.array([f"w{n}" for n in range(5_000)])
    texts = [" ".join(terms[rng.zipf(1.3, 60) % len(terms)]) for _ in range(size)]
    chunks = [Chunk(str(n), "Page", "Page", f"{n}.md", "", "en", "", 0, t, (t,)) for n, t in enumerate(texts)]

    def rows(count: int) -> np.ndarray:
        drawn = rng.standard_normal((count, DIMENSIONS), dtype=np.float32)
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        return drawn

    return EmbeddedIndex(chunks, Vectors(rows(size), rows(size), rows(size), rows(len(vocabulary(chunks)))), 0.0)


async def speed(index: EmbeddedIndex, encode: Callable[[str], np.ndarray], texts: Sequence[str]) -> dict[str, float]:
    """p95 of a search with its encodings, and the p99.9 lateness of a 5 ms ticker on the loop beside it, in ms."""
    took, late = [], []

    async def tick() -> None:
        while True:
            due = time.perf_counter() + TICK_SECS
            await asyncio.sleep(TICK_SECS)
            late.append(time.perf_counter() - due)

    with ThreadPoolExecutor(1) as pool:
        retrieval = Retrieval(lambda: index, encode, pool)
        await retrieval.search(texts[0])
        ticker = asyncio.create_task(tick())
        for n in range(SEARCHES):
            begun = time.perf_counter()
            await retrieval.search(f"{texts[n % len(texts)]} w{n} w{7 * n}")
            took.append(time.perf_counter() - begun)
        ticker.cancel()
    p95, p999 = np.percentile(took, 95) * 1000, np.percentile(late, 99.9) * 1000
    return {"p95_ms": round(float(p95), 1), "loop_stall_ms_p999": round(float(p999), 1)}


async def waited(retrieval: Retrieval, questions: Sequence[str]) -> float:
    """The share of spoken turns whose passages were not there yet when the last word was final.

    The recogniser is taken to change no content word between its last interim transcript and the final one.
    """
    late = 0
    for question in questions:
        prefetch, words = Prefetch(retrieval), question.split()
        for n in range(1, len(words) + 1):
            prefetch.hear(" ".join(words[:n]))
            await asyncio.sleep(WORD_SECS)
        begun = time.perf_counter()
        found = await prefetch.take(question)
        late += found is None or time.perf_counter() - begun > 0.001
    return round(late / len(questions), 3)


def measure(questions: QuestionSet, knowledge: Path, cache: Path) -> dict[str, Any]:
    """The whole report, by the keys that `--json` prints."""
    encoder = MiniLM(cache)

    def encode(text: str) -> np.ndarray:
        vector: np.ndarray = encoder.encode([text])[0]
        return vector

    with tempfile.TemporaryDirectory() as home, ThreadPoolExecutor(1) as pool:
        index, _ = ingest([knowledge], encoder, Path(home))
        retrieval = Retrieval(lambda: index, encode, pool)
        report: dict[str, Any] = quality(questions, index, retrieval, encoder)
        asked = [q for _, q in questions.answered]
        encoder = MiniLM(cache)  # one that remembers none of the questions
        report["on_critical_path"] = asyncio.run(waited(retrieval, asked[:VOICE_TURNS]))
    rng = np.random.default_rng(7)
    speeds = {name: asyncio.run(speed(synthetic(size, rng), encode, asked)) for name, size in SIZES.items()}
    report["p95_ms"] = {name: s["p95_ms"] for name, s in speeds.items()}
    report["loop_stall_ms_p999"] = max(s["loop_stall_ms_p999"] for s in speeds.values())
    return report


def main() -> int:
    parser = argparse.ArgumentParser("scripts/bench retrieval", description="How well and how fast pages are found.")
    parser.add_argument("--questions", type=Path, default=ROOT / "tests" / "acme" / "questions.yaml")
    parser.add_argument("--knowledge", type=Path, default=ROOT / "examples" / "acme" / "knowledge")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    console = Console()
    try:
        report = measure(QuestionSet.read(arguments.questions), arguments.knowledge, Settings().data_dir / "cache")
    except (OpenlineError, OSError) as fault:
        console.print(str(fault), style="red", markup=False)
        return 1
    if arguments.json:
        print(json.dumps(report))
        return 0
    table = Table("measure", "figure", title=str(arguments.questions.name))
    for name, figure in report.items():
        table.add_row(
            name, ", ".join(f"{k} {v}" for k, v in figure.items()) if isinstance(figure, dict) else str(figure)
        )
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
