from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agent.understanding.embedding import MiniLM
from agent.understanding.frustration import frustration, tone_examples
from agent.understanding.tone import Tone

CALM = [
    "where is my order",
    "thanks a lot, great help",
    "can I return a broken lamp",
    "my OLED TV broke",
    "I'm not angry, just asking",
    "this is not ridiculous at all",
    "OK",
    "do you sell trash cans",
    "hello, could you please tell me when you open",
    "it arrived two days late but no problem",
    "NASA T-shirt, size XL please",
    "I'd like to change the address",
]
UPSET = [
    "this is ridiculous!!! I've called three times already",
    "I'M SO ANGRY RIGHT NOW",
    "you are useless",
    "what the hell, this is the third time I ask",
    "this is a terrible service and nobody helps",
    "WHERE IS MY ORDER???",
    "I already told you twice, are you even listening?!",
    "I'm fed up with your stupid bot",
    "worst company ever, I will never buy from you again",
    "are you kidding me?!",
    "this is unacceptable, I've been waiting for weeks",
    "for god's sake, I said no!!",
]


@pytest.mark.parametrize("text", CALM)
def test_a_calm_turn_scores_low(text: str) -> None:
    assert frustration(text, []).score < 0.3


@pytest.mark.parametrize("text", UPSET)
def test_an_upset_turn_scores_high_and_says_why(text: str) -> None:
    found = frustration(text, [])
    assert found.score >= 0.5 and found.reasons


def test_the_same_thing_said_again_adds_up() -> None:
    scores = [frustration("where is my order", ["where is my order?"] * n).score for n in range(3)]
    assert scores[0] < scores[1] < scores[2]
    assert "repeats what was said" in frustration("where is my order", ["Where is my order?"]).reasons


def test_a_short_answer_repeated_is_no_repetition() -> None:
    assert frustration("yes", ["yes", "yes"]).score == 0


def test_anger_is_remembered_for_a_while_and_kindness_ends_it() -> None:
    assert frustration("where is it", ["you are useless"]).score > 0
    assert frustration("thank you", ["you are useless"]).score == 0
    assert frustration("where is it", ["you are useless", "hello there", "a lamp"]).score == 0


@given(st.text(max_size=300), st.lists(st.text(max_size=100), max_size=4))
def test_the_score_is_between_calm_and_furious(text: str, previous: list[str]) -> None:
    assert 0 <= frustration(text, previous).score <= 1


TURNS: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    (Path(__file__).parent / "frustrated_turns.yaml").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def tone(minilm: MiniLM) -> Tone:
    return Tone.train(tone_examples("en"), minilm)


def auroc(scores: list[tuple[bool, float]]) -> float:
    """How often an upset turn scores higher than a calm one; a tie is half."""
    upset, calm = ([score for is_upset, score in scores if is_upset is wanted] for wanted in (True, False))
    return sum((u > c) + (u == c) / 2 for u in upset for c in calm) / (len(upset) * len(calm))


@pytest.mark.parametrize("half", TURNS)
def test_upset_turns_are_told_from_calm_ones(half: str, tone: Tone, minilm: MiniLM) -> None:
    turns = TURNS[half]
    vectors = minilm.encode([turn["text"] for turn in turns])
    scores = [
        frustration(t["text"], t.get("before", []), tone=tone.upset(vector), spoken=t.get("spoken", False)).score
        for t, vector in zip(turns, vectors, strict=True)
    ]
    assert len(turns) == 50
    assert auroc(list(zip((t["upset"] for t in turns), scores, strict=True))) >= 0.85


def test_no_turn_stands_among_the_examples_of_its_tone() -> None:
    known = {text.lower().strip(" .!?") for texts in tone_examples("en").values() for text in texts}
    assert not [t["text"] for turns in TURNS.values() for t in turns if t["text"].lower().strip(" .!?") in known]


def test_the_tone_alone_calls_nobody_and_is_named() -> None:
    found = frustration("well", [], tone=1.0)
    assert found.score < 0.8 and found.reasons == ("the tone of it",)


def test_what_was_spoken_is_judged_by_its_words_alone() -> None:
    assert frustration("WHERE IS MY ORDER???", [], spoken=True).score == 0
    assert "said again and again" in frustration("this is the third time i call", [], spoken=True).reasons


def test_being_cut_off_counts_as_a_sign_and_is_named() -> None:
    found = frustration("where were we", [], cut_off=True)
    assert 0 < found.score < 0.5 and found.reasons == ("was cut off",)
    assert "cut off or passed around" in frustration("you hung up on me", []).reasons
