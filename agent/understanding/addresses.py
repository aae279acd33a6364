"""Postal addresses written in one line or spoken without commas, whole or in parts, and put right in parts.

Formats: US, Canadian and UK streets ("12 Elm Street, Boston, MA 02115"), number-last ones ("Hauptstraße 5,
10115 Berlin"), PO boxes. libpostal would know more of the world; it needs 2 GB of tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.understanding.values.names import cased

_STATES = {
    "alabama": "al", "alaska": "ak", "arizona": "az", "arkansas": "ar", "california": "ca", "colorado": "co",
    "connecticut": "ct", "delaware": "de", "florida": "fl", "georgia": "ga", "hawaii": "hi", "idaho": "id",
    "illinois": "il", "indiana": "in", "iowa": "ia", "kansas": "ks", "kentucky": "ky", "louisiana": "la",
    "maine": "me", "maryland": "md", "massachusetts": "ma", "michigan": "mi", "minnesota": "mn", "mississippi": "ms",
    "missouri": "mo", "montana": "mt", "nebraska": "ne", "nevada": "nv", "new hampshire": "nh", "new jersey": "nj",
    "new mexico": "nm", "new york": "ny", "north carolina": "nc", "north dakota": "nd", "ohio": "oh", "oklahoma": "ok",
    "oregon": "or", "pennsylvania": "pa", "rhode island": "ri", "south carolina": "sc", "south dakota": "sd",
    "tennessee": "tn", "texas": "tx", "utah": "ut", "vermont": "vt", "virginia": "va", "washington": "wa",
    "west virginia": "wv", "wisconsin": "wi", "wyoming": "wy",
}  # fmt: skip
_STATE = rf"(?:(?-i:[A-Z]{{2}})|{'|'.join(sorted(_STATES, key=len, reverse=True))})\b"
_STREET = (
    r"street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|ct|pl|square|sq|terrace|highway|hwy|parkway|"
    r"pkwy|crescent|grove|mews|quay|alley|plaza"
)
_ALSO_A_WORD = r"(?-i:Court|Place|Way|Circle|Close|Row|Walk)"
_NOT_A_NAME = r"(?!(?:is|are|was|on|in|at|the|to|from|my|your|of|and|or|for|it|order|days?|weeks?)\b)"
_NUMBER_FIRST = rf"\d{{1,5}}[a-z]?\s+(?:{_NOT_A_NAME}[a-z][\w.'-]{{0,30}}\s+){{1,4}}?(?:{_STREET}|{_ALSO_A_WORD})\b\.?"
_NUMBER_LAST = r"[a-z][\w-]{0,40}(?:stra(?:ss|ß)e|str\.|weg|platz|allee|gasse)\s+\d{1,4}[a-z]?\b"
_UNIT = r"(?:,?\s+(?:apt|apartment|unit|suite|flat|floor)\.?\s*#?\w{1,6})?"
_NOT_A_PLACE = r"(?!(?:please|thanks|thank|and|but|order|not|if|for|it|i|is|in|at|instead|now|today|tomorrow)\b)"
_WORD = rf"{_NOT_A_PLACE}[^\W\d_][\w.'-]{{1,30}}"
_PLACE = rf"(?:,\s*{_NOT_A_PLACE}[\w.'-]{{1,30}}(?:\s+{_NOT_A_PLACE}[\w.'-]{{1,30}}){{0,3}})"
_POSTCODE = r"(?:\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|[A-Z]\d[A-Z]\s?\d[A-Z]\d)\b"
_TOWN = rf"(?:{_WORD}(?:\s+{_WORD}){{0,3}}?,?\s+(?:{_STATE},?\s+)?{_POSTCODE}|\d{{5}}\s+{_WORD})"
_BOX = r"p\.?\s?o\.?\s?box\s+\d{1,6}\b"
_HOUSE = rf"(?:{_NUMBER_FIRST}|{_NUMBER_LAST}|{_BOX}){_UNIT}"
_ADDRESS = re.compile(rf"\b(?P<house>{_HOUSE})(?:,?\s+(?:in\s+)?{_TOWN}|{_PLACE}{{0,4}})", re.IGNORECASE)
_REST = re.compile(rf"\b{_TOWN}", re.IGNORECASE)
_ABBREVIATIONS = {
    "street": "st", "avenue": "ave", "road": "rd", "lane": "ln", "drive": "dr", "boulevard": "blvd", "court": "ct",
    "place": "pl", "square": "sq", "apartment": "apt", "highway": "hwy", "parkway": "pkwy",
}  # fmt: skip


@dataclass(frozen=True)
class Address:
    value: str
    start: int
    end: int
    complete: bool = True
    """Whether a town or a postcode stands in it; else it is a street only."""

    @property
    def kind(self) -> str:
        """The vault's kind of it."""
        return "ADDRESS" if self.complete else "STREET"


def find_addresses(text: str) -> list[Address]:
    """The addresses in a text, in order."""
    found = []
    for match in _ADDRESS.finditer(text):
        value = match[0].rstrip(" .,")
        complete = len(value) > len(match["house"].rstrip(" .,"))
        found.append(Address(value, match.start(), match.start() + len(value), complete))
    return found


def canonical(address: str) -> str:
    """The form in which a spoken and a typed address are one: no commas, "St" for "Street", "MA" for a state."""
    text = re.sub(r"[^\w]+", " ", address.lower()).strip()
    for state, letters in _STATES.items():
        text = re.sub(rf"\b{state}(?= \d{{5}}\b|$)", letters, text)
    return " ".join(_ABBREVIATIONS.get(word, word) for word in text.split())


def written(address: str) -> str:
    """An address as it is written: one that was spoken gets its capitals."""
    return cased(address)


@dataclass(frozen=True)
class Change:
    """text[start:end] makes the known address this one."""

    value: str
    start: int
    end: int


_LEAD = r"(?:\b(?:the|my)\s+)?"
_IS = r"\s*(?:code|number)?\s*(?:is|was|should be|must be|has to be|'s|’s|to|:)?\s+(?:actually\s+)?"
_NOT_OLD = r"(?:\s*,?\s*(?:and\s+)?not\s+[\w-]{1,20}(?:\s+[\w-]{1,20})?)?"
_ZIP = re.compile(rf"{_LEAD}(?:zip|post(?:al|code)?){_IS}(?P<new>{_POSTCODE}){_NOT_OLD}", re.IGNORECASE)
_NUMBER = re.compile(
    rf"{_LEAD}(?:house|street|building|door)\s?number{_IS}(?P<new>\d{{1,5}}[a-z]?)\b{_NOT_OLD}", re.IGNORECASE
)
_CITY = re.compile(rf"{_LEAD}(?:city|town){_IS}(?P<new>{_WORD}(?:\s+{_WORD})?){_NOT_OLD}", re.IGNORECASE)
_FLAT = re.compile(rf"{_LEAD}(?:apartment|apt|unit|suite|flat){_IS}(?P<new>#?\d\w{{0,4}}){_NOT_OLD}", re.IGNORECASE)
_SWAPPED = re.compile(
    r"(?P<new>[\w'-]{1,30})\s*,?\s*(?:and\s+)?(?:not|instead of)\s+(?P<old>[\w'-]{1,30})\b"
    r"|\bnot\s+(?P<old2>[\w'-]{1,30})\s*,?\s*(?:but|it['’]s)\s+(?P<new2>[\w'-]{1,30})\b",
    re.IGNORECASE,
)
_OLD_ZIP = re.compile(rf"{_POSTCODE}(?!.*{_POSTCODE})", re.IGNORECASE | re.DOTALL)
_OLD_NUMBER = re.compile(r"\b\d{1,5}[a-z]?\b", re.IGNORECASE)
_OLD_FLAT = re.compile(r"(?P<unit>\b(?:apt|apartment|unit|suite|flat)\.?\s*)#?\w{1,6}", re.IGNORECASE)


def put_right(known: str, text: str) -> Change | None:
    """What a text changes in a known address ("the zip is 12345, not 12346"); None where it names no part of it."""
    if found := _ZIP.search(text):
        new = found["new"].upper()
        value = _OLD_ZIP.sub(new, known) if _OLD_ZIP.search(known) else f"{known} {new}"
        return Change(value, found.start(), found.end())
    if found := _FLAT.search(text):
        return Change(_with_flat(known, found["new"]), found.start(), found.end())
    if found := _NUMBER.search(text):
        return Change(_OLD_NUMBER.sub(found["new"], known, count=1), found.start(), found.end())
    if found := _CITY.search(text):
        moved = _with_town(known, cased(found["new"]))
        return Change(moved, found.start(), found.end()) if moved else None
    if found := _SWAPPED.search(text):
        old, new = found["old"] or found["old2"], found["new"] or found["new2"]
        value = re.sub(rf"\b{re.escape(old)}\b", lambda _: new, known, flags=re.IGNORECASE)
        return Change(value, found.start(), found.end()) if value != known else None
    return None


def completed(street: str, text: str) -> Change | None:
    """A known street with the town that a text gives."""
    found = _REST.search(text)
    if not found:
        return None
    return Change(f"{street}, {written(found[0])}", found.start(), found.end())


def _with_flat(known: str, flat: str) -> str:
    if _OLD_FLAT.search(known):
        return _OLD_FLAT.sub(lambda m: f"{m['unit']}{flat}", known, count=1)
    street, comma, rest = known.partition(",")
    return f"{street}, Apt {flat}{comma}{rest}"


def _with_town(known: str, town: str) -> str | None:
    """The address with another town; None where the old one cannot be told from the rest."""
    pieces = known.split(",")
    place = 2 if len(pieces) > 2 and _OLD_FLAT.search(pieces[1]) else 1
    if len(pieces) <= place:
        return None
    tail = re.search(rf"\s+(?:{_STATE}\s*)?(?:{_POSTCODE})?$", pieces[place], re.IGNORECASE)
    pieces[place] = f" {town}{tail[0] if tail else ''}"
    return ",".join(pieces)
