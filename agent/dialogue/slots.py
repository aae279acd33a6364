"""Slots: which values a turn gives to what the agent must know, and whether they fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agent.business import Slot
from agent.events import EntityFound
from agent.understanding.understander import is_question

MAX_TEXT_CHARS = 200
_RULED_OUT = re.compile(r"\b(?:not|instead of|rather than)\W+(?:order\W+|number\W+|the\W+)*$", re.IGNORECASE)

_NAMED = r"\b(?:{words})\b(?:\W+(?:number|no|nr|id|is|was|s))*\W*$"


def fill(
    text: str,
    entities: Sequence[EntityFound],
    wanted: Mapping[str, Slot],
    *,
    awaited: str | None,
) -> dict[str, str]:
    """The values that a turn gives to the slots of a task.

    `awaited` is the slot that the agent has just asked for: free text counts for it alone. Of two
    values for one slot the last stands, but for one that the customer rules out ("not 10003").
    """
    values: dict[str, str] = {}
    for name, slot in wanted.items():
        value = _from_entities(text, entities, name, slot)
        if value is None and slot.type == "choice":
            value = _choice(text, slot)
        if value is None and name == awaited and slot.type == "text" and not is_question(text):
            value = text.strip()[:MAX_TEXT_CHARS] or None
        if value is not None:
            values[name] = value
    return values


def volunteered(text: str, entities: Sequence[EntityFound], slots: Mapping[str, Slot]) -> dict[str, str]:
    """The business's own numbers that a turn calls by their name, whatever it asks ("my order is 10003")."""
    own = {name: slot for name, slot in slots.items() if slot.type == "pattern"}
    named = [e for e in entities if e.type in own and _is_named(text[: e.start], own[e.type])]
    return fill(text, named, own, awaited=None)


def _is_named(before: str, slot: Slot) -> bool:
    words = "|".join(map(re.escape, slot.title.split()))
    return bool(re.search(_NAMED.format(words=words), before[-60:], re.IGNORECASE))


def _from_entities(text: str, entities: Sequence[EntityFound], name: str, slot: Slot) -> str | None:
    wanted_type = name if slot.type == "pattern" else slot.type
    fitting = [e for e in entities if e.type == wanted_type and not _RULED_OUT.search(text[: e.start])]
    return fitting[-1].value if fitting else None


def _choice(text: str, slot: Slot) -> str | None:
    """The choice whose words stand in the text; the longest match wins."""
    said = f" {_plain(text)} "
    matches = [
        (len(words), value)
        for value, others in slot.choices.items()
        for words in map(_plain, (value.replace("_", " "), *others))
        if f" {words} " in said
    ]
    return max(matches)[1] if matches else None


def _plain(text: str) -> str:
    return re.sub(r"[^\w]+", " ", text.lower()).strip()
