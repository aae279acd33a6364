"""Typed values in a turn: dates, times, money, quantities, names, e-mail, phone, and the business's own numbers.

Dates are ISO 8601, times HH:MM on 24 hours, money "12.50 USD", phone numbers E.164, so that typed and
spoken forms give the same value. "On the 3rd" is the next 3rd, "Tuesday" the next one, "next Tuesday"
the one of next week; a date without a year is the coming one, unless the words around it look back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date

from agent.events import EntityFound
from agent.safety.detectors import find_personal
from agent.understanding.values.dates import find_dates
from agent.understanding.values.days import DateOrder, date_orders
from agent.understanding.values.found import entity
from agent.understanding.values.money import find_money
from agent.understanding.values.names import find_names
from agent.understanding.values.patterns import find_by_pattern
from agent.understanding.values.quantities import find_quantities
from agent.understanding.values.times import find_times


def find_entities(
    text: str,
    *,
    patterns: Mapping[str, str],
    today: date,
    region: str = "US",
    language: str = "en",
    orders: Sequence[DateOrder] = (),
    awaited: Collection[str] = (),
    anchor: date | None = None,
) -> list[EntityFound]:
    """Typed values in order of place, without overlaps; the longer of two stands.

    `patterns` (slot type -> regular expression) say what the whole of a business's value looks like;
    its digits may be written with spaces, dashes or a "#". `orders` are how 3/4 may be meant (two leave
    a doubt); empty, the `region` (ISO 3166) settles it. `awaited` are the types that the agent has
    asked for; `anchor` is the day last spoken of, for "the day after".
    """
    orders = orders or date_orders((language,), region)
    found = [
        *((0, value) for name, pattern in patterns.items() for value in find_by_pattern(text, name, pattern)),
        *((1, value) for value in _personal(text, region)),
        *((2, value) for value in _dates(text, today, orders, language, "date" in awaited, anchor)),
        *((3, value) for value in find_times(text)),
        *((4, value) for value in find_money(text, region)),
        *((5, value) for value in find_quantities(text)),
        *((6, value) for value in find_names(text)),
    ]
    chosen: list[EntityFound] = []
    taken = bytearray(len(text))
    for _, value in sorted(found, key=lambda f: (f[1].start - f[1].end, f[0], f[1].start)):
        if not any(taken[value.start : value.end]):
            taken[value.start : value.end] = b"1" * (value.end - value.start)
            chosen.append(value)
    return sorted(chosen, key=lambda e: e.start)


def _dates(
    text: str, today: date, orders: Sequence[DateOrder], language: str, awaited: bool, anchor: date | None
) -> list[EntityFound]:
    """Dates, "the day after" counted from the one before it in the text, else from the one last spoken of."""
    found = list(find_dates(text, today, orders, language=language, awaited=awaited, anchor=anchor))
    if found and anchor is None:
        first = date.fromisoformat(min(found, key=lambda e: e.start).value)
        found = list(find_dates(text, today, orders, language=language, awaited=awaited, anchor=first))
    return found


def _personal(text: str, region: str) -> Iterator[EntityFound]:
    for personal in find_personal(text, region=region):
        if personal.kind in ("EMAIL", "PHONE"):
            yield entity(personal.kind.lower(), personal.canonical, text, personal.start, personal.end)
