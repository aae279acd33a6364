"""Every compiled pattern of understanding and safety against strings that grow: none grows out of hand."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

import agent.safety
import agent.understanding
from agent.dialogue import slots
from agent.understanding.entities import find_entities
from agent.understanding.frustration import frustration
from agent.understanding.repair import dialogue_act
from agent.understanding.spoken import from_speech
from agent.understanding.understander import MAX_CHARS
from tests.agent.understanding.test_hostile_input import PIECES

LENGTHS = (MAX_CHARS // 8, MAX_CHARS // 4, MAX_CHARS // 2, MAX_CHARS)
NOISE_SECS = 0.01
"""Growth is measured where it can be told from the clock's noise."""
WORST_GROWTH = 6.0
"""What twice the length may cost: 4 is quadratic, 8 cubic."""


def modules() -> Iterator[Any]:
    for package in (agent.understanding, agent.safety):
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)
    yield slots


def patterns_in(value: Any, seen: set[int]) -> Iterator[re.Pattern[str]]:
    """The patterns that a value is, holds or has as attributes."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from patterns_in(item, seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from patterns_in(item, seen)
    elif type(value).__module__.startswith("agent."):
        yield from patterns_in(getattr(value, "__dict__", None), seen)


def patterns() -> dict[str, re.Pattern[str]]:
    """Those that stand in modules, and those that functions compile when they are first called."""
    compiled: list[re.Pattern[str]] = []
    compile_pattern = re.compile

    def recording(pattern: Any, flags: Any = 0) -> re.Pattern[str]:
        made = compile_pattern(pattern, flags)
        if sys._getframe(1).f_globals.get("__name__", "").startswith("agent."):
            compiled.append(made)
        return made

    loaded = list(modules())
    for module in loaded:
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
    re.compile = recording  # type: ignore[assignment]
    try:
        exercise()
    finally:
        re.compile = compile_pattern
    seen: set[int] = set()
    standing = [p for module in loaded for p in patterns_in(vars(module), seen)]
    return {p.pattern: p for p in [*standing, *compiled] if isinstance(p.pattern, str)}


def exercise() -> None:
    for text in ("call me on the third about order 10007", "this is ridiculous, no, the thirteenth"):
        for awaited in ((), ("date",)):
            find_entities(text, patterns={"order": r"\d{5}"}, today=date(2026, 5, 13), awaited=awaited)
        frustration(text, [text])
        dialogue_act(from_speech(text))


PATTERNS = patterns()


def secs(pattern: re.Pattern[str], text: str) -> float:
    """The least of three tries, of this thread's own time."""
    tries = []
    for _ in range(3):
        began = time.thread_time()
        for _ in pattern.finditer(text):
            pass
        tries.append(time.thread_time() - began)
        if tries[0] < NOISE_SECS:
            break
    return min(tries)


def test_the_walk_finds_the_patterns() -> None:
    assert len(PATTERNS) > 100
    assert any("fortnights" in p for p in PATTERNS) and any("ridiculous" in p for p in PATTERNS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("piece", PIECES)
def test_no_pattern_grows_out_of_hand(piece: str) -> None:
    for pattern in PATTERNS.values():
        before = None
        for length in LENGTHS:
            text = (piece * length)[: length - 1] + "\0"
            took = secs(pattern, text)
            if before is not None and took > NOISE_SECS:
                assert took / max(before, NOISE_SECS / WORST_GROWTH) < WORST_GROWTH, (pattern.pattern[:200], length)
            before = took
