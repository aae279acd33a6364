"""`scripts/bench intents`: how well intents are told apart, from each other and from what is none of them.

    scripts/bench intents data_full.json                      CLINC150's form: train, test, oos_train, oos_test
    scripts/bench intents --train train.csv --test test.csv   text,label or text,category (label oos: out of scope)

The classifier learns from the training texts alone: what tunes and calibrates it is left out of them in turn, and lists
such as val are not read. Where nothing in the files is out of scope, every text is taken to be one of the intents.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from threadpoolctl import threadpool_limits

from agent.understanding.embedding import Encoder, MiniLM, Vectors
from agent.understanding.intents import Intents, built_in_examples
from agent.understanding.votes import Recipe
from agent.understanding.word_intents import WordIntents
from lab.intent_data import DataFault, IntentData, read_csv, read_json
from lab.reliability import Bin, auroc, calibration_error, reliability, reliability_svg, reliability_table
from pipelines.settings import Settings

_TIMED_TEXTS, _TIMED_RUNS = 10_000, 3


@dataclass(frozen=True)
class Scores:
    """What is printed with `--json`."""

    accuracy: float
    """Of the test texts in scope, the share whose likeliest intent is right."""
    oos_auroc: float | None
    """How often a text in scope looks more so than one that is not."""
    calibration_error: float
    """Over all test texts; for one out of scope any intent is wrong."""
    embed_ms_p50: float
    fast_accuracy: float
    fast_per_second: float


class _Timed:
    """An encoder that notes how long each text takes, and tells how far it is."""

    def __init__(self, encoder: Encoder, progress: Progress) -> None:
        self._encoder = encoder
        self._progress = progress
        self.ms: list[float] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.ms = []
        rows = [self._one(text) for text in self._progress.track(texts, description="encoding")]
        return np.concatenate(rows)

    def _one(self, text: str) -> Vectors:
        begun = time.perf_counter()
        vector = self._encoder.encode([text])
        self.ms.append((time.perf_counter() - begun) * 1000)
        return vector


def measure(data: IntentData, encoder: Encoder, progress: Progress) -> tuple[Scores, list[Bin]]:
    """Learn, ask, and compare; on one core."""
    timed = _Timed(encoder, progress)
    with threadpool_limits(1):
        intents = _trained(data, timed, progress)
        texts = [*(text for text, _ in data.test), *data.oos_test]
        vectors = timed.encode(texts)
        ranked = intents.rank_all(texts, vectors)
        fast_accuracy, fast_per_second = _fast(data, progress)
    labels = [*(label for _, label in data.test), *([None] * len(data.oos_test))]
    right = [ranking.names[0] == label for ranking, label in zip(ranked, labels, strict=True)]
    confidence = [ranking.probabilities[0][1] * ranking.in_scope for ranking in ranked]
    inside, asked = [ranking.in_scope for ranking in ranked], len(data.test)
    scores = Scores(
        accuracy=float(np.mean(right[:asked])),
        oos_auroc=auroc(inside[:asked], inside[asked:]) if data.oos_test else None,
        calibration_error=calibration_error(confidence, right),
        embed_ms_p50=float(np.median(timed.ms)),
        fast_accuracy=fast_accuracy,
        fast_per_second=fast_per_second,
    )
    return scores, reliability(confidence, right)


def _trained(data: IntentData, encoder: Encoder, progress: Progress) -> Intents:
    """What is out of scope is learnt from the data's own texts where there are any, else from the built-in ones."""
    has_oos = bool(data.oos_train or data.oos_test)
    own = {**data.train, **({"out_of_scope": data.oos_train} if data.oos_train else {})}
    common = {"out_of_scope": built_in_examples()["out_of_scope"]} if has_oos and not data.oos_train else {}
    recipe = Recipe() if has_oos else Recipe(in_scope_share=1.0)
    count = sum(map(len, own.values()))
    progress.console.print(f"learning {len(data.train)} intents from {count} texts")
    return Intents.train(own, encoder, cache_dir=None, recipe=recipe, built_in=common)


def _fast(data: IntentData, progress: Progress) -> tuple[float, float]:
    """The fast path's (accuracy, texts per second)."""
    progress.console.print("learning the fast path")
    fast = WordIntents.train(data.train)
    texts, labels = zip(*data.test, strict=True)
    many = (texts * (_TIMED_TEXTS // len(texts) + 1))[:_TIMED_TEXTS] if len(texts) < _TIMED_TEXTS else texts
    found = fast.label(texts)
    secs = []
    for _ in range(_TIMED_RUNS):
        begun = time.perf_counter()
        fast.label(many)
        secs.append(time.perf_counter() - begun)
    return float(np.mean([a == b for a, b in zip(found, labels, strict=True)])), len(many) / float(np.median(secs))


def _table(scores: Scores, data: IntentData) -> Table:
    learnt = sum(map(len, data.train.values()))
    about = f"{len(data.train)} intents, {learnt} texts to learn; asked {len(data.test)} + {len(data.oos_test)} oos"
    table = Table("measure", "value", title=about)
    table.add_row("accuracy", f"{scores.accuracy:.1%}")
    table.add_row("out of scope, AUROC", "-" if scores.oos_auroc is None else f"{scores.oos_auroc:.3f}")
    table.add_row("calibration error", f"{scores.calibration_error:.3f}")
    table.add_row("encoding one text, p50", f"{scores.embed_ms_p50:.2f} ms")
    table.add_row("fast path, accuracy", f"{scores.fast_accuracy:.1%}")
    table.add_row("fast path, texts per second", f"{scores.fast_per_second:,.0f}")
    return table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "scripts/bench intents", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="JSON in CLINC150's form")
    parser.add_argument("--train", type=Path, metavar="A.csv", help="texts to learn from")
    parser.add_argument("--test", type=Path, metavar="B.csv", help="texts to be asked")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the reliability plot there, as SVG")
    parser.add_argument("--json", action="store_true", help="one object instead of the tables")
    given = parser.parse_args()
    if bool(given.file) == bool(given.train or given.test) or bool(given.train) != bool(given.test):
        parser.error("give either FILE, or both --train and --test")
    if given.plot and not given.plot.resolve().parent.is_dir():
        parser.error(f"the folder of {given.plot} does not exist; make it first")
    return given


def main() -> int:
    """Exit codes: 0 measured, 2 files that cannot be used."""
    given = _arguments()
    try:
        data = read_json(given.file) if given.file else read_csv(given.train, given.test)
    except DataFault as fault:
        print(fault, file=sys.stderr)
        return 2
    aside = Console(stderr=True, quiet=given.json and not sys.stderr.isatty())
    with Progress(console=aside, transient=True) as progress:
        scores, bins = measure(data, MiniLM(Settings().data_dir / "cache"), progress)
    if given.plot:
        given.plot.write_text(reliability_svg(bins, "Intents: accuracy over confidence"), encoding="utf-8")
    if given.json:
        print(json.dumps(asdict(scores)))
    else:
        Console().print(_table(scores, data))
        Console().print(reliability_table(bins))
    return 0


if __name__ == "__main__":
    sys.exit(main())
