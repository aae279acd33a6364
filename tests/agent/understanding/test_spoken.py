from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.understanding.cleaning import clean
from agent.understanding.language import detect, unserved
from agent.understanding.spoken import from_speech, from_typing
from agent.understanding.spoken.sentences import asks

FORMS: dict[str, dict[str, str]] = yaml.safe_load((Path(__file__).parent / "written_forms.yaml").read_text("utf-8"))
CASES = [*FORMS["before"].items(), *FORMS["after"].items()]
GAPS = list(FORMS["known_gaps"].items())

VALUE_WORDS = (
    "one two oh o double triple hundred thousand million and point dollars cents pounds at dot com a b as in boy um uh "
    ", . - first third twenty teen may half past to p m 12 3 45 1,234 $ i the want no slash dash plus percent % "
    "capital s for bravo alpha march of o'clock @ x@y.de ? ! quarter nineteen ninety gmail underscore www "
    "email is cost A B ^ you know wan- … fifth street 5th 4:30 am PM $5 0.5 2026 zed u w in who where"
).split()
spoken_salad = st.lists(st.one_of(st.sampled_from(VALUE_WORDS), st.text(max_size=6)), max_size=30).map(" ".join)

NUMBER_WORDS = frozenset(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fourty fifty sixty seventy eighty ninety hundred thousand million billion "
    "oh o nought naught double triple treble".split()
)


@pytest.mark.parametrize(("said", "wanted"), CASES)
def test_speech_is_written_as_one_would_type_it(said: str, wanted: str) -> None:
    assert from_speech(said) == wanted


@pytest.mark.xfail(reason="a known gap", strict=True)
@pytest.mark.parametrize(("said", "wanted"), GAPS)
def test_what_is_not_written_so_yet(said: str, wanted: str) -> None:
    assert from_speech(said) == wanted


def test_the_table_is_large_and_a_third_of_it_is_fresh() -> None:
    assert len(CASES) >= 300
    assert len(FORMS["after"]) * 3 >= len(CASES)


@pytest.mark.parametrize("said", [said for said, _ in CASES])
def test_what_is_written_once_stays_so(said: str) -> None:
    once = from_speech(said)
    assert from_speech(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "Where is my order?",
        "I ordered two kettles and three lamps.",
        "No, I don't want that one.",
        "Is it very, very late?",
        "Can I talk to a person, please?",
        "My order number is 10007.",
        "It's the second time I call.",
        "Thank you so much!",
        "One of them is broken, the other one is fine.",
        "jane@example.com",
        "my order never came. where is it?",
    ],
)
def test_the_recognisers_own_capitals_and_marks_stay(text: str) -> None:
    assert from_speech(text) == text


def test_pounds_are_money_where_people_pay_in_them() -> None:
    assert from_speech("it was ten pounds", region="GB") == "It was £10."
    assert from_speech("it was ten pounds", region="US") == "It was 10 pounds."
    assert from_speech("a ten pounds heavy box", region="GB") == "A 10 pounds heavy box."
    assert from_speech("ten pounds ninety nine", region="GB") == "£10.99"


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("my order is one two three four five", "my order is 12345"),
        ("1 0 0 0 7", "10007"),
        ("order ten thousand seven pls", "order 10007 pls"),
        ("j dot smith at example dot com", "j.smith@example.com"),
        ("jane @ example.com", "jane@example.com"),
        ("its nine oh two one oh", "its 90210"),
    ],
)
def test_a_typed_value_that_is_spelled_out_is_written(typed: str, wanted: str) -> None:
    assert from_typing(typed) == wanted


@pytest.mark.parametrize(
    "typed",
    [
        "um, i want to, want to return it",
        "two kettles, 3 lamps",
        "the fourth time i call",
        "at four thirty pm",
        "twenty dollars",
        "Order 10007, 10008 and 10009",
        "call 555 123 4567 or 2 - 3 times",
        "May 5 2026",
        "i saw it at example.com",
        "I  wrote\tto Jane.Doe@Example.com,  twice",
        "b as in boy",
        "(1) a (2) b",
    ],
)
def test_other_typed_text_stays_as_it_is(typed: str) -> None:
    assert from_typing(typed) == typed


def _spells_a_value(text: str) -> bool:
    words = text.lower().replace("-", " ").split()
    digits = sum(any(ch.isdecimal() for ch in word) for word in words)
    return "@" in text or "at" in words or digits > 1 or any(w.strip(".,!?'’\"()") in NUMBER_WORDS for w in words)


@settings(max_examples=1_000, deadline=None)
@given(st.text(max_size=300))
def test_typed_text_without_spelled_out_values_is_unchanged(text: str) -> None:
    if not _spells_a_value(text):
        assert from_typing(text) == text


def _no_fault(said: str) -> None:
    text = clean(said)
    for form in (from_speech(text), from_typing(text)):
        detect(form, ["en", "de"], "en")
        unserved(form, ["en"])


@settings(max_examples=1_000, deadline=None)
@given(spoken_salad | st.text(max_size=200))
def test_any_text_goes_through_without_a_fault(said: str) -> None:
    _no_fault(said)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None)
@given(spoken_salad | st.text(max_size=400))
def test_ten_thousand_texts_go_through_without_a_fault(said: str) -> None:
    _no_fault(said)


@settings(max_examples=300, deadline=None)
@given(spoken_salad)
def test_writing_again_changes_nothing(said: str) -> None:
    once = from_speech(said)
    assert from_speech(once) == once


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("where is it", True),
        ("hello can you hear me", True),
        ("it never came where is it", True),
        ("i wonder where it is", False),
        ("tell me what is wrong", False),
        ("when i called it was closed", False),
        ("do that please", False),
        ("it is late isn't it", True),
        ("you have it in blue right", True),
        ("that's right", False),
        ("what a day", False),
        ("which is fine", False),
        ("has anyone looked at it", True),
        ("does anyone know", True),
        ("why not", True),
    ],
)
def test_the_order_of_words_says_whether_something_is_asked(words: str, asked: bool) -> None:
    assert asks(words) is asked
