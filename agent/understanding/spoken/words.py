"""The words that spoken values are made of: numbers, ordinals, months, the spelling alphabet."""

from __future__ import annotations

import re

DIGITS = dict(zip("zero one two three four five six seven eight nine".split(), range(10), strict=True))
TEENS = dict(
    zip(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(),
        range(10, 20),
        strict=True,
    )
)
TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
TENS["fourty"] = 40
SMALL = {**DIGITS, **TEENS, **TENS}
SCALES = {"thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
NOUGHTS = frozenset({"oh", "o", "nought", "naught"})
TIMES = {"double": 2, "triple": 3, "treble": 3}
ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15,
    "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}  # fmt: skip
MONTHS = "january february march april may june july august september october november december".split()
MONTH = rf"(?:{'|'.join(MONTHS)})"
SHORT_MONTHS = frozenset(m[:3] for m in MONTHS) | {"sept"}
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()

NATO = {
    word: word[0]
    for word in (
        "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec "
        "romeo sierra tango uniform victor whiskey yankee zulu"
    ).split()
} | {"alfa": "a", "juliett": "j", "whisky": "w", "x-ray": "x", "xray": "x"}
SPELLING_WORDS = frozenset(NATO) | frozenset(
    "adam alice andrew anna apple able baker benjamin bob boy bill boston bear cat charles car carol dog david denver "
    "delta edward easy elephant egg eric frank fred fox freddie father george girl green goat harry henry horse hat "
    "house ida igloo ink isaac jack john jane jim jacket king kite kate kangaroo kitten larry lion love lucy lemon "
    "mary monkey mother mark nancy nora nellie nut number nelly ocean oliver orange otto peter paul paris pizza queen "
    "quick robert roger red rabbit ralph sam sugar susan sierra simon snake sun tom tiger thomas tommy tea uncle "
    "umbrella union vincent victory van violet william walter water wilson whale xylophone x-ray yellow young yoyo "
    "zebra zoo zoe zero".split()
)
"""Words by which letters are commonly told apart ("T for Tommy")."""

SPELLED, CAPITAL = "\ue001", "\ue002"
"""Stand before a letter that was named as one, and before one that was named a capital; private-use characters."""

TOKEN = re.compile(
    rf"point\d+|[{SPELLED}{CAPITAL}]?[A-Za-z]+(?:['’][A-Za-z]+)?|\d+(?:st|nd|rd|th)\b|\d+(?:,\d{{3}})+(?!\d)|\d+\.\d+|\d+|\s+|.",
    re.S | re.I,
)
"""A word, a number, white space, or one other character: joined, the tokens are the text."""


def is_digit_word(word: str) -> bool:
    """Whether a word is said for one digit: "oh" and "seven", and not "ten"."""
    return word in DIGITS or word in NOUGHTS


def digit(word: str) -> str | None:
    """The digit that a word or a figure is."""
    if word in NOUGHTS:
        return "0"
    if word in DIGITS:
        return str(DIGITS[word])
    return word if word.isdecimal() and len(word) == 1 else None


def suffix(value: int) -> str:
    """The ending of an ordinal in figures: 1st, 2nd, 13th."""
    return "th" if value % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
