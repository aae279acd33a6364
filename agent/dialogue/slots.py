"""Slots: which values a turn gives to what the agent must know, and whether they fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints, TypeAdapter, ValidationError

from agent.business import Slot, SlotType
from agent.events import EntityFound
from agent.understanding.questions import is_question

MAX_TEXT_CHARS = 200
_RULED_OUT = re.compile(
    r"\b(?:not|instead of|rather than|except(?: for)?|apart from|other than|any day but)\W+"
    r"(?:order\W+|number\W+|the\W+|on\W+)*$",
    re.IGNORECASE,
)
_EITHER = re.compile(r"\W*or\W+(?:on\W+|the\W+)*", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:not|isn t|wasn t|aren t|never)(?: really| actually)? $")
_LISTED = re.compile(r"\W*(?:(?:and|as well as|plus)\b\W*)?(?:(?:also|then|both)\b\W*)?(?:the\b\W*)?", re.IGNORECASE)
_TOGETHER = re.compile(r"\b(?:and|both|all|as well as|plus|these|each)\b|&", re.IGNORECASE)
_NAMED = r"\b(?:{words})\b(?:\W+(?:number|no|nr|id|is|was|s))*\W*$"
"""A slot's title, or a word of it, and nothing but linking words up to the number."""
_PARTIAL = "[STREET_"
"""How the token of an address without its town begins."""


@dataclass(frozen=True)
class Given:
    """What a turn gives to one slot."""

    value: str
    more: tuple[str, ...] = ()
    """Further values named in the same breath ("both 10001 and 10002"), each wanted after the first."""
    alternative: str | None = None
    """The other reading of a doubtful value."""


def fill(
    text: str,
    entities: Sequence[EntityFound],
    wanted: Mapping[str, Slot],
    *,
    awaited: str | None,
) -> dict[str, Given]:
    """The values that a turn gives to the slots of a task.

    `awaited` is the slot that the agent has just asked for: free text counts for it alone. Of two
    values for one slot the last stands, but for one that the customer rules out ("not 10003", "except
    10003"); of two that are left open ("Tuesday or Wednesday") none does;
    numbers of the business's own that are listed ("10001 and 10002") all stand. Where an address is awaited
    a bare number may be its postcode: others are called by their name.
    """
    given: dict[str, Given] = {}
    postcode = awaited is not None and awaited in wanted and wanted[awaited].type == "address"
    for name, slot in wanted.items():
        numbers = postcode and slot.type == "pattern"
        of_slot = [e for e in entities if not numbers or _is_named(text[: e.start], slot)]
        value = _from_entities(text, of_slot, name, slot)
        if value is None and slot.type == "choice":
            value = _choice(text, slot)
        if value is None and name == awaited and slot.type == "text" and not is_question(text):
            value = Given(text.strip()[:MAX_TEXT_CHARS]) if _says_more(text, entities) else None
        if value is not None:
            given[name] = value
    return given


def _says_more(text: str, entities: Sequence[EntityFound]) -> bool:
    """Whether there are words beside the values that are of a kind of their own."""
    for entity in sorted(entities, key=lambda e: -e.start):
        if entity.value.startswith("["):
            text = text[: entity.start] + text[entity.end :]
    return bool(re.search(r"\w", text))


def volunteered(text: str, entities: Sequence[EntityFound], slots: Mapping[str, Slot]) -> dict[str, str]:
    """The business's own numbers that a turn calls by their name, whatever it asks ("my order is 10003").

    Of two different ones it is not clear which is meant later: neither is kept.
    """
    kept: dict[str, str] = {}
    for name, slot in slots.items():
        found = [e for e in entities if slot.type == "pattern" and e.type == name]
        if len({e.value for e in found}) == 1 and any(_is_named(text[: e.start], slot) for e in found):
            kept[name] = found[0].value
    return kept


def _is_named(before: str, slot: Slot) -> bool:
    words = "|".join(map(re.escape, slot.title.split()))
    return bool(re.search(_NAMED.format(words=words), before[-60:], re.IGNORECASE))


def _from_entities(text: str, entities: Sequence[EntityFound], name: str, slot: Slot) -> Given | None:
    wanted_types = (
        {name} if slot.type == "pattern" else {"address", "street"} if slot.type == "address" else {slot.type}
    )
    fitting = [e for e in entities if e.type in wanted_types and not _RULED_OUT.search(text[: e.start])]
    if not fitting:
        return None
    if len(fitting) > 1 and _EITHER.fullmatch(text[fitting[-2].end : fitting[-1].start]):
        return None
    listed = _listed(text, fitting, slot) if slot.type == "pattern" else []
    if len(listed) > 1:
        return Given(listed[0], tuple(listed[1:]))
    return Given(fitting[-1].value, alternative=fitting[-1].alternative)


def _listed(text: str, fitting: Sequence[EntityFound], slot: Slot) -> list[str]:
    """The values of the last list in a text: nothing but "and", commas and the slot's own title between them."""
    title = "|".join(map(re.escape, slot.title.lower().split()))
    between = re.compile(rf"{_LISTED.pattern}(?:(?:{title})\b\W*)*", re.IGNORECASE)
    run = [fitting[-1]]
    for entity in reversed(fitting[:-1]):
        gap = text[entity.end : run[0].start]
        if "..." in gap or not between.fullmatch(gap):
            break
        run.insert(0, entity)
    around = text[max(0, run[0].start - 30) : run[-1].end + 10]
    return list(dict.fromkeys(e.value for e in run)) if _TOGETHER.search(around) else []


def _choice(text: str, slot: Slot) -> Given | None:
    """The choice whose words stand in the text; the longest match wins."""
    said = f" {_plain(text)} "
    matches = [
        (len(words), value)
        for value, others in slot.choices.items()
        for words in map(_plain, (value.replace("_", " "), *others))
        if f" {words} " in said and not _DENIED.search(said[: said.index(f" {words} ") + 1])
    ]
    return Given(max(matches)[1]) if matches else None


def _plain(text: str) -> str:
    return re.sub(r"[^\w]+", " ", text.lower()).strip()


# --- whether a value fits --------------------------------------------------------------------------


def _with_town(value: str) -> str:
    if value.startswith(_PARTIAL):
        raise ValueError("the town is missing")
    return value


_Line = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS)]
_TYPES: dict[SlotType, Any] = {
    "text": _Line,
    "email": _Line,
    "phone": _Line,
    "name": _Line,
    "address": Annotated[_Line, AfterValidator(_with_town)],
    "date": date,
    "number": Decimal,
}
_REASONS = {
    "date_from_datetime_parsing": "that is no day of the calendar",
    "decimal_parsing": "that is no number",
    "string_too_long": "it is too long",
    "string_too_short": "it is empty",
}


@cache
def _adapter(slot_type: SlotType, pattern: str) -> TypeAdapter[Any]:
    """The type of a slot's values. Those of `pattern` match the whole of it."""
    if slot_type != "pattern":
        return TypeAdapter(_TYPES[slot_type])
    whole = re.compile(pattern)

    def matches(value: str) -> str:
        if not whole.fullmatch(value):
            raise ValueError("it does not look like one")
        return value

    return TypeAdapter(Annotated[str, AfterValidator(matches)])


def unfit(slot: Slot, value: str) -> str | None:
    """Why a value does not fit its slot, in plain words; None where it does. A token stands for what it protects."""
    if slot.type == "choice":
        return None if value in slot.choices else "it is none of the choices"
    try:
        _adapter(slot.type, slot.pattern).validate_python(value)
    except ValidationError as fault:
        error = fault.errors(include_url=False, include_input=False)[0]
        return _REASONS.get(error["type"], error["msg"].removeprefix("Value error, "))
    return None


def is_partial(value: str) -> bool:
    """Whether a value is kept although something of it is missing: a street that waits for its town."""
    return value.startswith(_PARTIAL)


def near_miss(text: str, entities: Sequence[EntityFound], slot: Slot) -> str | None:
    """What in an answer was meant for the slot and does not fit it: another number, half an e-mail address."""
    if slot.type == "pattern":
        numbers = [e.text for e in entities if e.type in ("number", "phone") and not e.value.startswith("[")]
        return next((n for n in reversed(numbers) if unfit(slot, n)), None)
    found = _HALF.get(slot.type)
    match = found.search(text) if found else None
    return match[0].strip() if match else None


_HALF: dict[SlotType, re.Pattern[str]] = {
    "phone": re.compile(r"(?<![\d[])\d[\d ().-]{2,20}\d(?!\d)"),
    "date": re.compile(
        r"\b(?:\d{1,2}(?:st|nd|rd|th)?\s+(?:of\s+)?)?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*\s+\d{1,2}\b|\b\d{1,2}/\d{1,2}\b",
        re.IGNORECASE,
    ),
}
