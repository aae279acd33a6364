"""House and flat numbers: "five oak street, apartment four b" -> "5 oak street, apartment 4B"."""

from __future__ import annotations

import re

from agent.understanding.spoken.words import DIGITS

_SMALL = "|".join(word for word, digit in DIGITS.items() if digit)
_HOUSE = re.compile(
    rf"\b({_SMALL})((?: [a-z'’]{{2,20}}){{1,3}})(?= (?:street|st|avenue|ave|road|rd|lane|ln|drive|boulevard|blvd|court|"
    r"place|square|terrace|highway|parkway|crescent)\b)",
    re.IGNORECASE,
)
_FLAT = re.compile(
    rf"\b(apt|apartment|flat|unit|suite)( (?:number )?)({_SMALL}|\d{{1,4}})(?: ([a-h])(?![\w'’]))?", re.IGNORECASE
)
_NO_NAME = re.compile(
    r"\b(?:from|of|on|in|off|to|down|up|and|the|weeks?|days?|hours?|minutes?|months?|years?|ago|way)\b", re.IGNORECASE
)
"""Words that no street's name has: "two blocks from Main Street", "a one way street"."""


def house_numbers(text: str) -> str:
    """A number word that only a street's name or a flat's letter gives away."""

    def house(match: re.Match[str]) -> str:
        return match[0] if _NO_NAME.search(match[2]) else f"{DIGITS[match[1].lower()]}{match[2]}"

    def flat(match: re.Match[str]) -> str:
        number = DIGITS.get(match[3].lower(), match[3])
        return f"{match[1]}{match[2]}{number}{(match[4] or '').upper()}"

    return _FLAT.sub(flat, _HOUSE.sub(house, text))
