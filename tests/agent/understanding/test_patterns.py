"""No pattern of cleaning and writing is catastrophic: its time grows as the text does, not as its square."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from types import ModuleType

import pytest

from agent.understanding import cleaning, language, spoken
from agent.understanding.cleaning import MAX_CHARS

PIECES = (
    "a", "1", " ", ",", ".", "-", "<", ">", "@", "\n", "\u00e9", "a ", "1 ", "1,", "1-", "1.", "a@", "a.", "A B ", "I ",
    "one ", "oh ", "double ", "hundred ", "one hundred and ", "twenty ", "point one ", "at ", "at five ", "x dot ",
    "a at b dot ", "dash ", "1 slash ", "um ", "um, ", "the the ", "b as in boy ", "alpha ", "double t ", "first ",
    "w w w dot ", "half past ", "quarter to five ", "may fifth ", "p m ", "1 dollar ", "5 p.", "where is ", "is it ",
    "hi ", "sunday ", "<a ", "<p>", "</", "<!--", "&lt;", "https://", "[A_1] ", "wan- ", ", you know", "1,111", "...",
    "2 pounds ", "\u200d", "plus 1",
)  # fmt: skip
SHORT = MAX_CHARS // 8
ENDINGS = ("", "!", " x")
BETWEEN_LINEAR_AND_SQUARE = 8**1.5
NOTICED_SECS = 0.001
"""Below this a time is too near the clock's resolution to be compared."""


def modules() -> list[ModuleType]:
    names = [m.name for m in pkgutil.iter_modules(spoken.__path__, f"{spoken.__name__}.")]
    return [cleaning, language, spoken, *map(importlib.import_module, names)]


PATTERNS = [
    pytest.param(value, id=f"{module.__name__.rpartition('.')[2]}.{name}")
    for module in modules()
    for name, value in vars(module).items()
    if isinstance(value, re.Pattern)
]


def seconds(pattern: re.Pattern[str], text: str) -> float:
    """What one search through the whole text costs the processor."""
    began = time.process_time()
    for _ in pattern.finditer(text):
        pass
    return time.process_time() - began


def endless(piece: str, length: int, ending: str) -> str:
    return (piece * length)[: length - len(ending)] + ending


def growth(pattern: re.Pattern[str], piece: str, ending: str) -> float:
    """How many times longer a text of 8 times the length takes; 0 where neither is worth a measurement."""
    long, short = endless(piece, MAX_CHARS, ending), endless(piece, SHORT, ending)
    if seconds(pattern, long) < NOTICED_SECS:
        return 0.0
    return min(seconds(pattern, long) for _ in range(5)) / max(min(seconds(pattern, short) for _ in range(5)), 1e-6)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_takes_no_more_than_its_share_of_a_long_text(pattern: re.Pattern[str]) -> None:
    for piece in PIECES:
        for ending in ENDINGS:
            assert growth(pattern, piece, ending) < BETWEEN_LINEAR_AND_SQUARE, repr(piece)


def test_the_patterns_are_found() -> None:
    assert len(PATTERNS) > 60


@pytest.mark.parametrize(("pattern", "piece"), [(r"\S+@\S+", "a"), (r"(?:\w+\s*)$", "a"), (r"\s+$", " ")])
def test_a_pattern_that_takes_more_is_noticed(pattern: str, piece: str) -> None:
    assert growth(re.compile(pattern), piece, "!") > BETWEEN_LINEAR_AND_SQUARE
