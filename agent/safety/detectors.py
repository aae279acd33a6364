"""Personal data found by its form and checksum: e-mail addresses, cards, telephone numbers, SSNs, IBANs.

Order numbers, dates and prices are none of these: a card needs its checksum (or the word "card" before
a number of its length), a telephone number needs to be valid in its region, or written like one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import phonenumbers
from stdnum import iban


@dataclass(frozen=True)
class Personal:
    """One piece of personal data; equal data has an equal `canonical` form."""

    kind: str
    """EMAIL, CARD, PHONE, SSN or IBAN."""
    start: int
    end: int
    value: str
    """text[start:end]; of a telephone number its usual form in the region, however it was typed or said."""
    canonical: str


def find_personal(text: str, *, region: str = "US") -> list[Personal]:
    """Personal data in a text, in order, without overlaps: of two that overlap the longer stands.

    `region` (ISO 3166) says how telephone numbers without a country code are read.
    """
    found = [*_emails(text)]
    if _ENOUGH_DIGITS.search(text):
        found += [*_cards(text), *_ssns(text), *_ibans(text), *_phones(text, region)]
    chosen: list[Personal] = []
    taken = bytearray(len(text))
    for candidate in sorted(found, key=lambda p: (p.start - p.end, _RANK[p.kind], p.start)):
        if not any(taken[candidate.start : candidate.end]):
            taken[candidate.start : candidate.end] = b"1" * (candidate.end - candidate.start)
            chosen.append(candidate)
    return sorted(chosen, key=lambda p: p.start)


def redact(text: str, *, region: str = "US") -> str:
    """The text with personal data replaced by its kind (`[email]`), for good."""
    for personal in reversed(find_personal(text, region=region)):
        text = f"{text[: personal.start]}[{personal.kind.lower()}]{text[personal.end :]}"
    return text


_RANK = {"EMAIL": 0, "IBAN": 1, "CARD": 2, "SSN": 3, "PHONE": 4}
_ENOUGH_DIGITS = re.compile(r"(?:\d\D{0,3}){7}")
_EMAIL = re.compile(
    r"(?<![\w.+%-])[\w+%-](?:[\w.+%'-]{0,62}[\w+%-])?@(?:[\w](?:[\w-]{0,61}\w)?\.){1,5}[^\W\d_]{2,24}(?![\w-]*@)(?!\w)"
)
_GROUPS = re.compile(r"\d+(?:[ \t]?[-.–—][ \t]?\d+|[ \t]{1,2}\d+|,[ \t]\d+)*")
_MAX_GROUPS = 300
_CARD_CUE = re.compile(
    r"\b(?:card|visa|master ?card|amex|american express|credit|debit|pan)\b[^\n]{0,40}$", re.IGNORECASE
)
_CARD_LENGTHS = {"3": (14, 15, 16), "4": (13, 16, 19), "5": (16,), "6": (16, 17, 18, 19), "2": (16,)}
"""By first digit: Amex, Diners and JCB, Visa, Mastercard, Discover and UnionPay and Maestro, Mastercard's 2 series."""
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}([- .])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-])")
_SSN_BARE = re.compile(
    r"\b(?:ssn|social security|social|soc)\b[^\d\n]{0,30}(?<!\d)((?!000|666|9)(?:\d[ -]?){8}\d)(?!\d)", re.IGNORECASE
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_PHONE_LIKE = re.compile(r"(?<![\w.-])(?:\+?1[ .-]?)?(?:\(\d{3}\)[ .-]?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])")
_PHONE_LOCAL = re.compile(
    r"\b(?:phone|cell|mobile|tel|telephone|call|text|reach|ring|number to call)\b[^\d\n]{0,30}"
    r"(?<!\d)(\d{3}[ .-]\d{4}|\d{10,11})(?![\w-])",
    re.IGNORECASE,
)
_PHONE_DIGITS = 9
"""A telephone number without a plus has at least so many digits, so that order numbers are none."""


def _digits(text: str) -> str:
    return "".join(ch for ch in text if ch.isdecimal())


def _emails(text: str) -> Iterator[Personal]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Personal("EMAIL", match.start(), match.end(), match[0], match[0].lower())


def _cards(text: str) -> Iterator[Personal]:
    """Runs of digit groups whose figures are a card number; spoken ones come digit by digit."""
    looked_at = 0
    for chain in _GROUPS.finditer(text):
        groups = list(re.finditer(r"\d+", chain[0]))
        looked_at += len(groups)
        if looked_at > _MAX_GROUPS:
            return
        yield from _cards_in(text, chain.start(), groups)


def _cards_in(text: str, offset: int, groups: list[re.Match[str]]) -> Iterator[Personal]:
    first = 0
    while first < len(groups):
        end = _card_end(text, offset, groups, first)
        if end > first:
            start, stop = offset + groups[first].start(), offset + groups[end - 1].end()
            yield Personal("CARD", start, stop, text[start:stop], _digits(text[start:stop]))
        first = max(end, first + 1)


def _card_end(text: str, offset: int, groups: list[re.Match[str]], first: int) -> int:
    """The group after the last of a card number that begins at `first`; `first` where none does."""
    lengths = _CARD_LENGTHS.get(groups[first][0][0], ())
    figures, best = "", first
    for place in range(first, len(groups)):
        figures += groups[place][0]
        if len(figures) > 19:
            break
        if len(figures) in lengths and (_luhn(figures) or _named(text, offset + groups[first].start(), groups, place)):
            best = place + 1
    return best


def _named(text: str, start: int, groups: list[re.Match[str]], last: int) -> bool:
    """Whether a number that ends its run is called a card's: a mistyped one is personal too."""
    return last == len(groups) - 1 and bool(_CARD_CUE.search(text[max(0, start - 60) : start]))


_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def _luhn(figures: str) -> bool:
    """ISO/IEC 7812's check digit."""
    values = [ord(ch) - 48 if ch.isascii() else int(ch) for ch in reversed(figures)]
    return (sum(values[::2]) + sum(_DOUBLED[v] for v in values[1::2])) % 10 == 0 and len(set(values)) > 1


def _ssns(text: str) -> Iterator[Personal]:
    for match in _SSN.finditer(text):
        yield Personal("SSN", match.start(), match.end(), match[0], _digits(match[0]))
    for match in _SSN_BARE.finditer(text):
        yield Personal("SSN", match.start(1), match.end(1), match[1], _digits(match[1]))


def _ibans(text: str) -> Iterator[Personal]:
    for match in _IBAN.finditer(text):
        for end in _word_ends(match[0]):
            value = match[0][:end]
            if iban.is_valid(value):
                yield Personal("IBAN", match.start(), match.start() + end, value, iban.compact(value))
                break


def _word_ends(value: str) -> list[int]:
    """Where a word ends, longest first: what follows an IBAN may look like a part of it."""
    return [len(value), *(m.start() for m in reversed(list(re.finditer(r"[ -]", value))))]


def _phones(text: str, region: str) -> Iterator[Personal]:
    for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID, max_tries=50):
        international = match.raw_string.lstrip().startswith("+")
        if international or len(_digits(match.raw_string)) >= _PHONE_DIGITS:
            yield _phone(text, match.start, match.end, region)
    for written in _PHONE_LIKE.finditer(text):
        yield _phone(text, written.start(), written.end(), region)
    for cued in _PHONE_LOCAL.finditer(text):
        yield _phone(text, cued.start(1), cued.end(1), region)


def _phone(text: str, start: int, end: int, region: str) -> Personal:
    """A number as it is written where the business is, however the customer wrote or said it."""
    value = text[start:end]
    try:
        parsed = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return Personal("PHONE", start, end, value, _digits(value))
    at_home = parsed.country_code == phonenumbers.country_code_for_region(region)
    form = phonenumbers.PhoneNumberFormat.NATIONAL if at_home else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    canonical = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return Personal("PHONE", start, end, phonenumbers.format_number(parsed, form), canonical)
