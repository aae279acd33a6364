from __future__ import annotations

import re

import pytest

from agent.business import Slot
from agent.dialogue.slots import Given, fill, near_miss, unfit
from agent.events import EntityFound

NUMBER = Slot(type="pattern", title="order number", ask="?", pattern=r"\d{5}")


def numbers(text: str) -> list[EntityFound]:
    return [
        EntityFound(type="order", value=m[0], text=m[0], start=m.start(), end=m.end())
        for m in re.finditer(r"\d{5}", text)
    ]


@pytest.mark.parametrize(
    ("text", "value", "more"),
    [
        ("both 10001 and 10002", "10001", ("10002",)),
        ("10001, 10002 and 10003 please", "10001", ("10002", "10003")),
        ("order 10001 and order number 10002", "10001", ("10002",)),
        ("10001 as well as 10002", "10001", ("10002",)),
        ("10001, 10002, both of them", "10001", ("10002",)),
        ("10001 & 10002", "10001", ("10002",)),
        ("10001 and 10001", "10001", ()),
        ("10008, sorry, 10007", "10007", ()),
        ("it's 10008... no 10009... argh, 10015!", "10015", ()),
        ("10004, not 10003", "10004", ()),
        ("10022 instead of 10012", "10022", ()),
    ],
)
def test_listed_numbers_all_stand_and_corrected_ones_do_not(text: str, value: str, more: tuple[str, ...]) -> None:
    assert fill(text, numbers(text), {"order": NUMBER}, awaited=None) == {"order": Given(value, more)}


@pytest.mark.parametrize("text", ["10001 or 10002", "everything except 10001", "not order 10001", "any day but 10001"])
def test_what_is_left_open_or_ruled_out_is_no_value(text: str) -> None:
    assert fill(text, numbers(text), {"order": NUMBER}, awaited=None) == {}


def test_a_denied_choice_is_not_chosen() -> None:
    slot = Slot.model_validate(
        {"title": "reason", "ask": "Why?", "type": "choice", "choices": {"damaged": [], "late": []}}
    )
    assert fill("it is not damaged", (), {"reason": slot}, awaited="reason") == {}
    assert fill("not damaged, late", (), {"reason": slot}, awaited="reason") == {"reason": Given("late")}


def test_two_values_in_one_sentence_fill_two_slots() -> None:
    day = EntityFound(type="date", value="2026-05-20", text="on the 20th", start=12, end=23)
    text = "order 10007 on the 20th"
    wanted = {"order": NUMBER, "day": Slot(type="date", title="day", ask="?")}
    given = fill(text, [*numbers(text), day], wanted, awaited=None)
    assert {name: value.value for name, value in given.items()} == {"order": "10007", "day": "2026-05-20"}


@pytest.mark.parametrize(
    ("slot_type", "value", "reason"),
    [
        ("pattern", "10007", None),
        ("pattern", "1007", "it does not look like one"),
        ("date", "2026-05-20", None),
        ("date", "2026-02-30", "that is no day of the calendar"),
        ("number", "2", None),
        ("number", "two", "that is no number"),
        ("address", "[ADDRESS_1]", None),
        ("address", "[STREET_1]", "the town is missing"),
        ("choice", "red", None),
        ("choice", "blue", "it is none of the choices"),
        ("text", "x" * 201, "it is too long"),
        ("email", "[EMAIL_1]", None),
    ],
)
def test_a_value_that_does_not_fit_has_a_reason_in_plain_words(slot_type: str, value: str, reason: str | None) -> None:
    slot = Slot(type=slot_type, title="it", ask="?", pattern=r"\d{5}", choices={"red": []})  # type: ignore[arg-type]
    assert unfit(slot, value) == reason


def test_what_was_meant_for_the_slot_and_misses_it_is_named() -> None:
    short = EntityFound(type="number", value="1007", text="1007", start=0, end=4)
    assert near_miss("1007", [short], NUMBER) == "1007"
    assert near_miss("555 0147", [], Slot(type="phone", title="phone", ask="?")) == "555 0147"
    assert near_miss("Feb 30", [], Slot(type="date", title="day", ask="?")) == "Feb 30"
    assert near_miss("why", [], NUMBER) is None
