"""People who say who they are: "my name is anna schmidt", "this is Anna", "it's Anna Schmidt speaking".

After a plain cue ("my name is") almost any word is a name. After one that says many other things
("this is", "it's", "I'm") it must look like a name: capital letters, a known given name, or "speaking" behind it.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from agent.events import EntityFound
from agent.understanding.values.found import entity

_WORD = r"[^\W\d_](?:[^\W\d_]|['’-](?=[^\W\d_])){0,30}"
_TITLE = r"(?:(?:mr|mrs|ms|miss|dr|prof)\.?\s+)?"
_NAME = rf"{_TITLE}(?P<name>{_WORD}(?:\s+(?:[^\W\d_]\.\s+)?{_WORD}){{0,3}})"
_SURE = re.compile(
    r"\b(?:my\s+(?:full\s+|first\s+|last\s+)?name(?:\s+is|['’]s)|the\s+name(?:\s+is|['’]s)|name\s*:|"
    rf"i(?:['’]m|\s+am)\s+called|you\s+can\s+call\s+me)\s+{_NAME}",
    re.IGNORECASE,
)
_MAYBE = re.compile(
    rf"\b(?:this\s+is|it['’]?s|it\s+is|i['’]m|i\s+am|hi,?\s+i['’]?m|here\s+is)\s+{_NAME}"
    r"(?P<speaking>\s+(?:speaking|calling|here)\b)?",
    re.IGNORECASE,
)
_ENDS = frozenset(
    "and but or from i i'm im it its it's my the a an calling speaking here with of at on in for to about who please "
    "not so is was are am have had has would need want can could the order number thanks thank you that this because "
    "again still by your our we just now if as "
    "what where when why how do does did will may".split()
)
"""Words that end a name."""
_NEVER = _ENDS | frozenset(
    "also called already really very too all ok okay no yes fine good great sorry right wrong broken late new on off "
    "calling looking trying waiting having getting going asking writing wondering unable able happy glad sure afraid "
    "mad sad tired done back ready interested misspelled spelled spelt there only monday tuesday wednesday thursday "
    "friday saturday sunday january february march april june july august september october november december "
    "ridiculous urgent important mr mrs ms dr someone somebody me he she they his her me".split()
)
"""Words that begin no name."""
_PARTICLES = frozenset("van von der den de del della di da la le du dos bin al el ibn ter ten".split())


@cache
def _given_names() -> frozenset[str]:
    return frozenset((Path(__file__).parent / "given_names.txt").read_text(encoding="utf-8").split())


def find_names(text: str) -> list[EntityFound]:
    """Names of people, with capitals, where somebody gives his or her own; in order."""
    found: list[EntityFound] = []
    for pattern, sure in ((_SURE, True), (_MAYBE, False)):
        for match in pattern.finditer(text):
            name = _given(text, match, sure)
            if name and all(name.end <= other.start or other.end <= name.start for other in found):
                found.append(name)
    return sorted(found, key=lambda n: n.start)


def _given(text: str, match: re.Match[str], sure: bool) -> EntityFound | None:
    words = _name_words(match["name"])
    if not words:
        return None
    speaking = not sure and bool(match["speaking"] or _speaks(match["name"], words))
    if not sure and not _looks_like_one(words, speaking, of_a_thing=match[0][:2].lower() == "it"):
        return None
    start = match.start("name")
    return entity("name", cased(" ".join(words)), text, start, start + _length(match["name"], len(words)))


def cased(name: str) -> str:
    """A name as it is written: what has no capitals gets them."""
    if name != name.lower():
        return name
    words = [w if w in _PARTICLES else re.sub(r"(?:^|(?<=['’-]))\w", lambda m: m[0].upper(), w) for w in name.split()]
    return " ".join(words)


def _name_words(stretch: str) -> list[str]:
    words: list[str] = []
    for word in stretch.split():
        if word.lower().replace("’", "'") in (_ENDS if words else _NEVER):
            break
        words.append(word)
    while words and words[-1].lower() in _PARTICLES and len(words) > 1:
        words.pop()
    return words


def _length(stretch: str, count: int) -> int:
    """How many characters the first `count` words of a stretch take."""
    ends = [m.end() for m in re.finditer(r"\S+", stretch)]
    return ends[count - 1]


def _speaks(stretch: str, words: list[str]) -> bool:
    """Whether "speaking", "calling" or "here" comes right behind the name's words."""
    rest = stretch.split()[len(words) :]
    return bool(rest) and rest[0].lower() in ("speaking", "calling", "here")


def _looks_like_one(words: list[str], speaking: bool, *, of_a_thing: bool) -> bool:
    if speaking or words[0].lower() in _given_names():
        return len(words) <= 4
    capitals = all(w[0].isupper() and not w.isupper() for w in words if w.lower() not in _PARTICLES)
    return capitals and 2 <= len(words) <= 3 and not of_a_thing
