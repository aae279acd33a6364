"""Whether a confidence means what it says: reliability bins, their table and plot, and how well it ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from rich.table import Table

BINS = 10
_SIZE, _MARGIN = 320, 40


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence lies in one tenth of the range."""

    low: float
    high: float
    n: int
    confidence: float
    """The mean; 0 in an empty bin."""
    accuracy: float


def reliability(confidence: Sequence[float], right: Sequence[bool]) -> list[Bin]:
    """The bins, lowest first. Raises ValueError without any answer."""
    if not len(confidence):
        raise ValueError("no answers to measure")
    sure, correct = np.asarray(confidence, float), np.asarray(right, float)
    places = np.minimum((sure * BINS).astype(int), BINS - 1)
    bins = []
    for place in range(BINS):
        inside = places == place
        n = int(inside.sum())
        means = (float(sure[inside].mean()), float(correct[inside].mean())) if n else (0.0, 0.0)
        bins.append(Bin(place / BINS, (place + 1) / BINS, n, *means))
    return bins


def calibration_error(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error: the bins' gaps between confidence and accuracy, weighted by their answers.

    Source: Guo et al., On Calibration of Modern Neural Networks (2017), equation 3, with ten bins.
    """
    bins = reliability(confidence, right)
    return sum(b.n * abs(b.confidence - b.accuracy) for b in bins) / len(confidence)


def auroc(inside: Sequence[float], outside: Sequence[float]) -> float:
    """How often one of `inside` scores above one of `outside`; a tie counts half.

    Raises ValueError where one of them is empty.
    """
    if not len(inside) or not len(outside):
        raise ValueError("scores of both kinds are needed")
    above, lower = np.sort(np.asarray(outside, float)), np.asarray(inside, float)
    wins = np.searchsorted(above, lower, "left") + np.searchsorted(above, lower, "right")
    return float(wins.mean() / (2 * len(above)))


def reliability_table(bins: Sequence[Bin]) -> Table:
    table = Table("confidence", "n", "mean confidence", "accuracy", title="Reliability")
    for b in bins:
        means = (f"{b.confidence:.3f}", f"{b.accuracy:.3f}") if b.n else ("-", "-")
        table.add_row(f"{b.low:.1f}-{b.high:.1f}", str(b.n), *means)
    return table


def reliability_svg(bins: Sequence[Bin], title: str) -> str:
    """Accuracy over confidence as a small SVG; a point's area is its bin's share, the diagonal is perfect."""
    whole, total = _SIZE + 2 * _MARGIN, max(1, sum(b.n for b in bins))
    ticks = [t / 5 for t in range(6)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {whole}" width="{whole}" height="{whole}"'
        ' font-family="sans-serif" font-size="11" text-anchor="middle">',
        f'<rect width="{whole}" height="{whole}" fill="white"/>',
        *(_line((t, 0), (t, 1), "#eee") + _line((0, t), (1, t), "#eee") for t in ticks),
        _line((0, 0), (1, 1), "#999"),
        *(_words((t, 0), f"{t:.1f}", down=16) + _words((0, t), f"{t:.1f}", right=-16, down=4) for t in ticks),
        _words((0.5, 0), "confidence", down=32),
        _words((0.5, 1), title, down=-16),
        *(_point(b, b.n / total) for b in bins if b.n),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _pixels(place: tuple[float, float]) -> tuple[str, str]:
    """Where (confidence, accuracy) stands; SVG counts from the top."""
    return f"{_MARGIN + place[0] * _SIZE:.1f}", f"{_MARGIN + (1 - place[1]) * _SIZE:.1f}"


def _line(start: tuple[float, float], end: tuple[float, float], stroke: str) -> str:
    (x1, y1), (x2, y2) = _pixels(start), _pixels(end)
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{stroke}"/>'


def _words(place: tuple[float, float], words: str, *, right: int = 0, down: int = 0) -> str:
    x, y = _pixels(place)
    return f'<text x="{x}" y="{y}" dx="{right}" dy="{down}">{escape(words)}</text>'


def _point(b: Bin, share: float) -> str:
    x, y = _pixels((b.confidence, b.accuracy))
    told = f"n {b.n}, confidence {b.confidence:.3f}, accuracy {b.accuracy:.3f}"
    circle = f'<circle cx="{x}" cy="{y}" r="{3 + 17 * share**0.5:.1f}" fill="#2563eb" fill-opacity="0.6">'
    return f"{circle}<title>{told}</title></circle>"
