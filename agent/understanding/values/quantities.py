"""How many and how much: "two of the red ones", "a pair of", "3", "2.5 kg"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.events import EntityFound
from agent.understanding.values.counts import IN_WORDS, count
from agent.understanding.values.found import entity

_UNITS = {
    "kg": "kg", "kilo": "kg", "kilos": "kg", "kilogram": "kg", "kilograms": "kg", "g": "g", "gram": "g", "grams": "g",
    "lb": "lb", "lbs": "lb", "pound": "lb", "pounds": "lb", "oz": "oz", "ounce": "oz", "ounces": "oz", "l": "l",
    "liter": "l", "liters": "l", "litre": "l", "litres": "l", "ml": "ml", "cm": "cm", "centimeters": "cm",
    "centimetres": "cm", "mm": "mm", "meters": "m", "metres": "m", "meter": "m", "metre": "m", "inch": "in",
    "inches": "in", "foot": "ft", "feet": "ft", "percent": "%", "per cent": "%", "%": "%",
}  # fmt: skip
_UNIT = rf"(?:{'|'.join(sorted((u for u in _UNITS if u != '%'), key=len, reverse=True))})\b|%"
_FIGURES = r"(?<![\w.,:/$€£#@+-])\d{1,6}(?:[.,]\d{1,3})?"
_MEASURED = re.compile(rf"({_FIGURES}|\b{IN_WORDS})\s?({_UNIT})", re.IGNORECASE)
_NUMBER = re.compile(
    r"(?<![\w.,:/$€£#@+-])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w%]|[.,:/-]\d)"
    r"|(?<![\w.,:/$€£#@+-])\d+(?:\.\d+)?(?![\w]|[.,:/-]\d)"
)
_IN_WORDS = re.compile(
    rf"\b(?!one\b)({IN_WORDS})(?!['’-]|\s+of\s+(?:them|us|you|my|your|our)\b)"
    r"|\b(?:have|want|need|bought|ordered|got|just|only|about|for|take|add)\s+(one)\b(?!\s+(?:of|more|another)\b|['’-])",
    re.IGNORECASE,
)
_SETS = re.compile(r"\b(half a dozen|a half dozen|a dozen|a pair of|a couple of)(?=\s+\w)", re.IGNORECASE)
_SET_OF_TIME = re.compile(r"\s+(?:\w+\s+)?(?:days?|weeks?|months?|years?|hours?|minutes?|times?|questions?|things?)\b")


def find_quantities(text: str) -> Iterator[EntityFound]:
    """Counts as `number`; measured ones as `quantity`, "2.5 kg"."""
    for match in _MEASURED.finditer(text):
        figures = match[1].replace(",", ".") if match[1][0].isdecimal() else str(count(match[1]))
        yield entity("quantity", f"{figures} {_UNITS[match[2].lower()]}", text, match.start(), match.end())
    for match in _NUMBER.finditer(text):
        yield entity("number", match[0].replace(",", ""), text, match.start(), match.end())
    for match in _IN_WORDS.finditer(text):
        group = match.lastindex or 1
        yield entity("number", str(count(match[group])), text, match.start(group), match.end(group))
    for match in _SETS.finditer(text):
        if not _SET_OF_TIME.match(text, match.end()):
            words = match[1].lower().removesuffix(" of")
            yield entity("number", str(count(words)), text, match.start(), match.end())
