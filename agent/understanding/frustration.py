"""How frustrated a turn sounds, from its words, its loudness, and what was said before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from rapidfuzz import fuzz

_MAX_CHARS = 1000
_FOLDER = Path(__file__).parents[2] / "prompts" / "frustration"
_LETTERS = re.compile(r"[^\W\d_]+")
_MARKS = re.compile(r"!{2,}|[!?]*(?:!\?|\?!)[!?]*|\?{2,}")
_MEMORY = 0.35
"""The share of the last turns' frustration that is still felt."""
_CUT_OFF = 0.3
_TONE = 0.6
"""What the tone alone can come to: too little for a hand-off."""
_TONE_NAMED_FROM = 0.7
_STRONG = 0.6
"""From this weight on a sign is not softened by kind words."""
_ALIKE = 88
_ALIKE_FROM_CHARS = 8


@dataclass(frozen=True)
class Frustration:
    """`score` from 0 (calm) to 1; `reasons` name what it comes from."""

    score: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Cues:
    """What words say, in one language: (reason, weight, pattern), and what takes it back or softens it."""

    signs: tuple[tuple[str, float, re.Pattern[str]], ...]
    calmed: re.Pattern[str]
    kind: re.Pattern[str]
    examples: Mapping[str, Sequence[str]]
    """What the tone is learnt from: `upset` and `calm` turns."""


@cache
def _cues(language: str) -> _Cues:
    """The cues of a language; English ones where there are none."""
    path = _FOLDER / f"{language}.yaml"
    found = yaml.safe_load((path if path.exists() else _FOLDER / "en.yaml").read_text(encoding="utf-8"))

    def words(listed: Sequence[str]) -> re.Pattern[str]:
        return re.compile(rf"(?<!\w)(?:{'|'.join(listed)})(?!\w)", re.IGNORECASE)

    signs = tuple((cue["reason"], float(cue["weight"]), words(cue["words"])) for cue in found["cues"])
    return _Cues(
        signs, re.compile(rf"\b(?:{'|'.join(found['calmed'])})", re.IGNORECASE), words(found["kind"]), found["examples"]
    )


def tone_examples(language: str) -> Mapping[str, Sequence[str]]:
    """What the tone of a language is learnt from."""
    return _cues(language).examples


def frustration(
    text: str,
    previous: Sequence[str],
    *,
    tone: float = 0.0,
    spoken: bool = False,
    cut_off: bool = False,
    language: str = "en",
) -> Frustration:
    """How frustrated a turn sounds. `previous` are the customer's earlier turns, the oldest first.

    `tone` is the probability that it sounds upset, by its meaning (tone.py). In what was spoken,
    capitals and marks are the recogniser's and say nothing. `cut_off`: the conversation was lost
    just before, without a goodbye.
    """
    cues, text = _cues(language), text[:_MAX_CHARS]
    signs = [*_signs(text, cues, spoken), *_repetition(text, previous)]
    felt = max((_joined(w for _, w in _signs(t[:_MAX_CHARS], cues, spoken)) for t in previous[-2:]), default=0.0)
    kind = bool(cues.kind.search(text))
    if felt >= 0.4 and (signs or not kind):
        signs.append(("upset before", _MEMORY * felt))
    if cut_off:
        signs.append(("was cut off", _CUT_OFF))
    reasons = tuple(reason for reason, _ in signs)
    if tone >= _TONE_NAMED_FROM:
        reasons += ("the tone of it",)
    score = _joined([*(weight for _, weight in signs), _TONE * tone**2])
    if kind and not any(weight >= _STRONG for _, weight in signs):
        score *= 0.75
    return Frustration(round(score, 3), reasons)


def _joined(weights: Iterator[float] | Sequence[float]) -> float:
    """Independent signs together: each takes its share of what the others leave."""
    calm = 1.0
    for weight in weights:
        calm *= 1 - weight
    return 1 - calm


def _signs(text: str, cues: _Cues, spoken: bool) -> list[tuple[str, float]]:
    signs = []
    for reason, weight, pattern in cues.signs:
        hits = {
            m[0].lower()
            for m in pattern.finditer(text)
            if not cues.calmed.search(text[max(0, m.start() - 30) : m.start()])
        }
        if hits:
            signs.append((reason, 1 - (1 - weight) ** min(len(hits), 3)))
    return signs if spoken else [*signs, *_loudness(text, upset=bool(signs))]


def _loudness(text: str, *, upset: bool) -> Iterator[tuple[str, float]]:
    """Capitals and marks, as only typed text has them."""
    words = _LETTERS.findall(text)
    letters = "".join(words)
    loud = [word for word in words if len(word) > 1]
    if len(letters) >= 8 and len(loud) >= 2 and sum(map(str.isupper, letters)) >= 0.7 * len(letters):
        yield "capitals", 0.4
    elif any(len(word) >= 4 and word.isupper() for word in words) and upset:
        yield "emphasis", 0.15
    marks = _MARKS.findall(text)
    if marks:
        yield "punctuation", 0.35 if max(map(len, marks)) >= 3 or len(marks) > 1 else 0.2


def _repetition(text: str, previous: Sequence[str]) -> Iterator[tuple[str, float]]:
    """The same thing said again, where it is more than a word."""
    if len(text) < _ALIKE_FROM_CHARS:
        return
    alike = sum(fuzz.ratio(text.lower(), turn[:_MAX_CHARS].lower()) >= _ALIKE for turn in previous[-5:])
    if alike:
        yield "repeats what was said", min(0.3 * alike, 0.6)
