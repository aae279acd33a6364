"""What a turn means apart from how it is written, and what its wording asks."""

from __future__ import annotations

import pytest

from agent.understanding.essence import request
from agent.understanding.questions import asks_who, is_question


@pytest.mark.parametrize(
    ("typed", "spoken"),
    [
        ("Where's my order?", "where's my order"),
        ("Hm, ok. Next time: can I pay with Bitcoin?", "okay next time can i pay with bitcoin?"),
        ("Hi there, I'd like to know when you open.", "um i'd like to know when you open"),
        ("Change my E-Mail address!", "change my e mail address"),
    ],
)
def test_the_same_words_typed_and_said_come_out_alike(typed: str, spoken: str) -> None:
    assert request(typed).removeprefix("ok ") == request(spoken).removeprefix("okay ")


@pytest.mark.parametrize(
    ("text", "core"),
    [
        ("Good morning, I just wanted to ask if you ship to Canada.", "you ship to canada"),
        ("I would like to know where my order is", "where my order is?"),
        ("ok", "ok"),
        ("so what", "so what?"),
        ("!!!", "!!!"),
    ],
)
def test_politeness_is_left_out_and_never_all_of_a_turn(text: str, core: str) -> None:
    assert request(text) == core


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("hang on, is this a real human I'm talking to?", True),
        ("are you a bot", True),
        ("am I chatting with an actual person?", True),
        ("can I talk to a real person", False),
        ("is this a machine-washable duvet", False),
        ("is it automated", True),
        ("are you open on Sunday", False),
    ],
)
def test_who_is_speaking_is_told_from_the_wish_for_a_person(text: str, asks: bool) -> None:
    assert asks_who(text) is asks


@pytest.mark.parametrize("text", ["at what hours do you call", "And how much is it", "is it here", "my order?"])
def test_questions_are_told_by_their_wording(text: str) -> None:
    assert is_question(text)
