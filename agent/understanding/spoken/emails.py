"""E-mail and web addresses: "j dot smith at example dot com" -> "j.smith@example.com".

An address is found from its "at" outwards: to the right a host that ends in a known domain, to the left the
words that are joined by "dot", "underscore" or "dash", single letters, and figures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.understanding.spoken.words import CAPITAL, DIGITS, SPELLED

_TLDS = frozenset(
    "com org net edu gov io co info biz me app dev eu uk de fr es it nl ch at be ca au us nz ie in jp cn br mx se "
    "no dk fi pl pt cz tv ai store shop online tech cloud email test example".split()
)
_COUNTRIES = frozenset("uk au nz jp br mx in za".split())
_SURE_TLDS = frozenset("com org net edu gov io info biz eu uk de fr es nl ch ca au dev app shop store".split())
"""Domains that are no common word: "example. com" is a host, "at home. in" is none."""
_PROVIDERS = {
    r"g[ -]mail": "gmail", r"hot[ -]mail": "hotmail", r"out[ -]look": "outlook", r"i[ -]cloud": "icloud",
    r"proton[ -]mail": "protonmail", r"ya[ -]hoo": "yahoo",
}  # fmt: skip
_SPLIT_PROVIDER = re.compile(rf"\b(at|at\ssign|@)(\s{{1,3}})({'|'.join(_PROVIDERS)})\b", re.I)
_ONE_WORD = re.compile(
    r"\b(\w{1,40})\s{1,3}(\w{1,40}),?\s{1,3}(?:all\s{1,3})?(?:as\s{1,3})?one\s{1,3}word,?(?=\s{1,3}(?:at|@))", re.I
)
_LAST_DIGITS = re.compile(
    rf"\b({'|'.join(DIGITS)})\s{{1,3}}({'|'.join(DIGITS)})(?=\s{{1,3}}(?:at|@)\s{{1,3}}(?:\w{{1,40}}\s{{1,3}}){{1,3}}dot\b)",
    re.I,
)
_UNDER_SCORE = re.compile(r"\bunder\s{1,3}score\b", re.I)
_ITEM = re.compile(rf"[{SPELLED}{CAPITAL}]?[A-Za-z0-9]+(?:['’][A-Za-z]+)?|\S")
_DOTS = {"dot": ".", "period": ".", "point": ".", ".": "."}
_JOINTS = {**_DOTS, "underscore": "_", "_": "_", "dash": "-", "hyphen": "-", "minus": "-", "-": "-", "plus": "+",
           "+": "+"}  # fmt: skip
_LONGEST = 24
"""So many items at most make one side of an address."""
_CUE = re.compile(
    r"(?:^|\b(?:is|it's|it’s|that's|that’s|e-?mail|mail|address|to|under|use|with|as|be|me at|on|or|and|yes|yeah|"
    r"no|not|sorry|put|meant|mean|sure|so|okay|ok)|[:,.!?])\s*$",
    re.I,
)
_STRONG_CUE = re.compile(r"\b(?:e-?mail|e-?mail\s+address|address)(?:\s+(?:is|would\s+be|'s|’s)|\s*:)\s*$", re.I)
_NOT_A_LOCAL_PART = frozenset(
    "it that this was is me look looked looking bought buy ordered order shop shopping found find saw see store "
    "online item items stuff page site works working work am are be up down here there back us you him her them "
    "i we arrived delivered available stay staying meet a the".split()
)
_NO_HOST = frozenset("the a an dot this that your my our and or one".split())
_WEB = re.compile(r"\b(?:w\s{1,3}w\s{1,3}w|[A-Za-z0-9-]{1,40})(?:\s{1,3}dot\s{1,3}[A-Za-z0-9-]{1,40}){1,4}", re.I)


@dataclass(frozen=True)
class _Item:
    text: str
    start: int
    end: int

    @property
    def is_part(self) -> bool:
        return self.text.isalnum() and self.text.isascii()

    @property
    def is_letter(self) -> bool:
        return len(self.text) == 1 and self.text.isalpha()


def emails(text: str) -> str:
    """E-mail addresses as they are written; "I saw it at amazon dot com" is no e-mail address.

    A plain word before "at" needs a cue such as "my e-mail is".
    """
    if "@" not in text and not re.search(r"\bat\b", text, re.I):
        return text
    text = _SPLIT_PROVIDER.sub(lambda m: f"{m[1]}{m[2]}{re.sub(r'[ -]', '', m[3].lower())}", text)
    text = _LAST_DIGITS.sub(lambda m: str(DIGITS[m[1].lower()]) + str(DIGITS[m[2].lower()]), text)
    text = _UNDER_SCORE.sub("underscore", _ONE_WORD.sub(r"\1\2", text))
    items = [_Item(m[0].lstrip(SPELLED + CAPITAL), m.start(), m.end()) for m in _ITEM.finditer(text)]
    out: list[str] = []
    written = 0
    for place, item in enumerate(items):
        if item.start < written or item.text.lower() not in ("at", "@"):
            continue
        found = _address(text, items, place)
        if found and found[0] >= written and re.search(r"\s", text[found[0] : found[1]]):
            out += [text[written : found[0]], found[2]]
            written = found[1]
    return "".join(out) + text[written:]


def web_addresses(text: str) -> str:
    """ "www dot example dot com" -> "www.example.com"."""

    def joined(match: re.Match[str]) -> str:
        labels = re.split(r"\s+dot\s+", match[0], flags=re.I)
        labels[0] = re.sub(r"\s", "", labels[0])
        known = labels[-1].lower() in _TLDS and labels[0].lower() not in _NO_HOST
        return ".".join(labels).lower() if known else match[0]

    return _WEB.sub(joined, text) if re.search(r"\bdot\b", text, re.I) else text


def _address(text: str, items: Sequence[_Item], at: int) -> tuple[int, int, str] | None:
    """Where the address around the "at" in place `at` begins and ends, and its written form."""
    right = at + 2 if at + 1 < len(items) and items[at + 1].text.lower() == "sign" else at + 1
    host, last = _host(text, items[right : right + _LONGEST])
    pieces = _local(text, items[max(0, at - _LONGEST) : at])
    if not host or not pieces:
        return None
    first = at - len(pieces)
    plain = len(pieces) == 1 and pieces[0].isalpha() and items[at].text != "@"
    if plain and pieces[0].lower() in _NOT_A_LOCAL_PART:
        return None
    if not _CUE.search(text[: items[first].start][-40:]):
        begun = _strongly_cued(text, items, first, pieces)
        if begun is None and plain:
            return None
        first = first if begun is None else begun
    return items[first].start, items[right + last].end, f"{''.join(pieces)}@{host}".lower()


def _strongly_cued(text: str, items: Sequence[_Item], first: int, pieces: list[str]) -> int | None:
    """Where the local part begins if "my e-mail is" stands one or two words before; they are its first pieces."""
    for start in range(first - 1, max(first - 3, -1), -1):
        words = [item.text for item in items[start:first]]
        if not all(word.isalpha() and word.isascii() for word in words):
            return None
        if _STRONG_CUE.search(text[: items[start].start][-40:]):
            pieces[:0] = words
            return start
    return None


def _host(text: str, items: Sequence[_Item]) -> tuple[str, int]:
    """The host that these items begin with and the place of its last item; empty where there is none."""
    host, found, last = "", "", -1
    after_dot = False
    for place, item in enumerate(items):
        word = item.text.lower()
        if item.is_part and word not in _JOINTS:
            spelled = place > 0 and item.is_letter and items[place - 1].is_letter
            if not host or host[-1] in ".-" or (spelled and not after_dot):
                host += word
            else:
                break
            if after_dot and word in _TLDS and not (found and word not in _COUNTRIES):
                found, last = host, place
        elif host and word in ("dot", ".", "dash", "hyphen", "-") and not _sentence_ends(text, items, place):
            after_dot = word in ("dot", ".")
            host += "." if after_dot else "-"
        else:
            break
    return found, last


def _sentence_ends(text: str, items: Sequence[_Item], place: int) -> bool:
    """Whether the full stop in this place ends a sentence: white space follows, and no sure domain."""
    item = items[place]
    spaced = text[item.end : item.end + 1].isspace() or item.end == len(text)
    following = items[place + 1].text.lower() if place + 1 < len(items) else ""
    return item.text == "." and spaced and following not in _SURE_TLDS


def _local(text: str, items: Sequence[_Item]) -> list[str]:
    """The written pieces, one per item, of the local part that ends these items."""
    pieces: list[str] = []
    place = len(items) - 1
    while place >= 0:
        item, later = items[place], items[place + 1] if pieces else None
        joint = _JOINTS.get(item.text.lower())
        if joint:
            if not pieces or pieces[0] in _JOINTS.values() or place == 0 or not items[place - 1].is_part:
                break
            pieces.insert(0, joint)
        elif not item.is_part or (later and not _adjacent(items, place, later)):
            break
        else:
            pieces.insert(0, item.text)
        place -= 1
    while pieces and pieces[0] in _JOINTS.values():
        pieces.pop(0)
    return pieces


def _adjacent(items: Sequence[_Item], place: int, later: _Item) -> bool:
    """Whether this item and the next belong to one local part: a joint between, figures after, letters spelled."""
    item, text = items[place], later.text
    if not item.is_letter and item.text.lower() in _NOT_A_LOCAL_PART:
        return False
    if text.lower() in _JOINTS:
        return True
    if text.isdecimal():
        cue = item.text.lower() in ("is", "to", "at", "mail", "email", "address", "use", "and", "or")
        return item.text.isalnum() and not cue
    if not item.is_letter:
        return False
    among_letters = place > 0 and (items[place - 1].is_letter or items[place - 1].text.lower() in _JOINTS)
    return later.is_letter or item.text.lower() not in ("a", "i") or among_letters
