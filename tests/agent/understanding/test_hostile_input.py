"""Strings made to send regular expressions astray: a catastrophic one would hit the time limit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from agent.safety.detectors import find_personal, redact
from agent.safety.injection import strip_roles, suspicious
from agent.understanding.cleaning import clean
from agent.understanding.entities import find_entities
from agent.understanding.frustration import frustration
from agent.understanding.repair import dialogue_act
from agent.understanding.spoken import from_speech as written

PIECES = [
    *("a", "1", " ", ".", ",", "-", "\n", "\u0301", "\u200b", "١", "€"),
    *("a ", "1 ", "1,", "1-", "1.", "1/", "4 ", "4111 ", "10007 ", "12:", "$1,", "1,111", "AB12", "AB-"),
    *(
        "a@",
        "a@a.",
        "a.",
        "a-",
        "a_",
        "x dot ",
        "at ",
        "x at y dot ",
        "+1 ",
        "(212) ",
        "212-555-",
        "DE89 ",
        "ssn ",
        "card ",
    ),
    *(
        "one ",
        "double ",
        "hundred ",
        "one hundred and ",
        "twenty ",
        "oh ",
        "um ",
        "i i ",
        "the cat ",
        "a b c ",
        "first ",
    ),
    *("half past ", "quarter to ", "may ", "monday ", "the 1st ", "next ", "in a ", "two weeks ", "p m ", "dollars "),
    *("yes ", "no, ", "please ", "sorry, ", "thanks ", "oh, ", "never mind ", "bye "),
    *("<", "<a ", "<p>", "</", "<!--", "&lt;", "<|", "|>", "[", "[INST]", "system", "system:", "#", "> ", "`", "*"),
    *("ignore ", "ignore the ", "your ", "show your system ", "already ", "times ", "!", "?!", "still "),
]
FUNCTIONS: list[Callable[[str], object]] = [
    clean,
    written,
    strip_roles,
    suspicious,
    find_personal,
    redact,
    dialogue_act,
    lambda text: dialogue_act(text[:500]),
    lambda text: frustration(text, [text, text]),
    lambda text: find_entities(text, patterns={"order": r"\d{5}", "code": r"[A-Z]{2}-?\d{4}"}, today=date(2026, 5, 13)),
]
NAMES = "clean written strip_roles suspicious find_personal redact long_act short_act frustration find_entities".split()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMES)
def test_no_pattern_is_catastrophic(function: Callable[[str], object]) -> None:
    for piece in PIECES:
        endless = (piece * 4000)[:4000]
        for text in (endless, endless[:-1] + "!", endless[:-1] + "x", "x" + endless[1:]):
            function(text)
