"""Postal addresses written in one line: house number, street, and what follows up to the end of the clause.

Formats: US and UK streets ("12 Elm Street, Boston, MA 02115"), number-last ones ("Hauptstraße 5, 10115 Berlin").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_STREET = (
    r"street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|ct|pl|square|sq|terrace|highway|hwy|parkway|"
    r"pkwy|crescent|grove|mews|quay|alley|plaza"
)
_ALSO_A_WORD = r"(?-i:Court|Place|Way|Circle|Close|Row|Walk)"
_NOT_A_NAME = r"(?!(?:is|are|was|on|in|at|the|to|from|my|your|of|and|or|for|it|order|days?|weeks?)\b)"
_NUMBER_FIRST = rf"\d{{1,5}}[a-z]?\s+(?:{_NOT_A_NAME}[a-z][\w.'-]{{0,30}}\s+){{1,4}}?(?:{_STREET}|{_ALSO_A_WORD})\b\.?"
_NUMBER_LAST = r"[a-z][\w-]{0,40}(?:stra(?:ss|ß)e|str\.|weg|platz|allee|gasse)\s+\d{1,4}[a-z]?\b"
_UNIT = r"(?:,?\s+(?:apt|apartment|unit|suite|flat|floor)\.?\s*#?\w{1,6})?"
_NOT_A_PLACE = r"(?!(?:please|thanks|thank|and|but|order|not|if|for|it|i)\b)"
_PLACE = rf"(?:,\s*{_NOT_A_PLACE}[\w.'-]{{1,30}}(?:\s+{_NOT_A_PLACE}[\w.'-]{{1,30}}){{0,3}})"
_BOX = r"p\.?\s?o\.?\s?box\s+\d{1,6}\b"
_ADDRESS = re.compile(rf"\b(?:{_NUMBER_FIRST}|{_NUMBER_LAST}|{_BOX}){_UNIT}{_PLACE}{{0,4}}", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    value: str
    start: int
    end: int


def find_address(text: str) -> Address | None:
    """The first address in a text."""
    found = _ADDRESS.search(text)
    if not found:
        return None
    value = found[0].rstrip(" .,")
    return Address(value, found.start(), found.start() + len(value))
