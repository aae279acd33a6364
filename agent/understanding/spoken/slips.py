"""Slips of the tongue: fillers, broken-off words, and words said twice that nobody says twice on purpose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.understanding.spoken.words import DIGITS, SMALL

_FILLER = r"(?:u+h+|u+h*m+|e+r+m+|e+r+|a+h+m+|h+m+|m{2,})"
_FILLERS = re.compile(
    rf"(?:^|(?<=[\s,.;:!?–—-])),?\s{{0,4}}\b({_FILLER})\b(?!-)(?:\s{{0,4}}(?:,|\.{{2,3}}|…))?(?=[\s.!?]|$)", re.I
)
_YOU_KNOW = re.compile(r",\s{0,4}you know,(?=\s)", re.I)
_AGREEING = re.compile(r"\b(?:uh|mm|mhm|um)[ -]?(?:huh|hm+|hmm)\b", re.I)
_MEASURED = re.compile(rf"(?:\d|\b(?:{'|'.join(SMALL)}|hundred))\s*$", re.I)
_FRAGMENT = re.compile(r"\b(\w{1,12})(?:-|–|—|\.\.\.|…)[,\s]{1,4}(?=(\w+)(?:\s{1,4}(\w+))?)")

_STUTTERED = frozenset(
    "i i'm i've i'd i'll the a an to my your our their its it's was are am could would does and or but of at for "
    "from with we they where when how why if because want need number order hello hi hey where's what's how's can't "
    "don't that's is it this can will".split()
)
"""Words that nobody says twice on purpose."""
_STUTTERED_AT_A_PAUSE = frozenset(
    "you he she him her his me us them in on by do did have has had what who so that there not".split()
)
"""Words that may stand twice ("I told you you were", "so so", "had had"), but not with a pause between."""
_LINKS = frozenset("and by to after over upon or in".split())
"""Between equal words they mean more than one of them: "again and again and again"."""
_LONGEST_PHRASE = 5
_PAUSES = frozenset(",-–—…")
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")
_GAP = re.compile(r"\s{0,3}(?:,|\.\.\.|…|[–—-])?\s{1,3}")


def without_fillers(text: str) -> str:
    """ "the, uh, blue one" -> "the blue one"; "uh-huh", "ten mm" and a filler that is all of the turn stay."""
    if _AGREEING.fullmatch(text.strip(" .,!?")):
        return text

    def cut(match: re.Match[str]) -> str:
        filler = match[1]
        if filler in ("ER", "MM") or (filler.lower() == "mm" and _MEASURED.search(text[: match.start(1)][-12:])):
            return match[0]
        return " "

    bare = _YOU_KNOW.sub("", _FILLERS.sub(cut, text))
    return bare if re.search(r"\w", bare) else text


def without_fragments(text: str) -> str:
    """ "I wan- I want", "re- return": a word broken off and said again."""

    def cut(match: re.Match[str]) -> str:
        fragment, following = match[1].lower(), [word.lower() for word in match.groups()[1:] if word]
        broken = any(word.startswith(fragment) and word != fragment for word in following)
        return "" if broken and not fragment.isdecimal() else match[0]

    return _FRAGMENT.sub(cut, text)


@dataclass(frozen=True)
class _Word:
    text: str
    start: int
    end: int
    gap: str | None
    """What stands between this word and the next, where they may be one phrase; else None."""

    @property
    def paused(self) -> bool:
        return any(ch in _PAUSES or ch == "." for ch in self.gap or "")


def without_repeats(text: str) -> str:
    """ "I want to, want to return" -> "I want to return"; "no, no", "very very late", "one by one by one" stay."""
    words = _words(text)
    out: list[str] = []
    written = at = 0
    while at < len(words):
        length = _repeated(words, at)
        if length:
            out.append(text[written : words[at].start])
            written = words[at + length].start
        at += length or 1
    return "".join(out) + text[written:]


def _words(text: str) -> list[_Word]:
    found = list(_WORD.finditer(text))
    gaps = [text[a.end() : b.start()] for a, b in pairwise(found)]
    joints: list[str | None] = [gap if _GAP.fullmatch(gap) else None for gap in gaps]
    return [
        _Word(m[0].lower().replace("’", "'"), m.start(), m.end(), gap)
        for m, gap in zip(found, [*joints, None], strict=False)
    ]


def _repeated(words: Sequence[_Word], at: int) -> int:
    """How many words from `at` on are said again right after, and can go."""
    for length in range(min(_LONGEST_PHRASE, (len(words) - at) // 2), 0, -1):
        phrase, again = words[at : at + length], words[at + length : at + 2 * length]
        if any(word.gap is None for word in (*phrase, *again[:-1])):
            continue
        texts = [word.text for word in phrase]
        if texts == [word.text for word in again] and _slipped(words, at, texts):
            return length
    return 0


def _slipped(words: Sequence[_Word], at: int, phrase: Sequence[str]) -> bool:
    """Whether a phrase that is said twice was not meant so."""
    first, last = phrase[0], words[at + len(phrase) - 1]
    if len(phrase) == 1:
        if len(first) == 1 and _spelled(words, at):
            return False
        return first in _STUTTERED or (first in _STUTTERED_AT_A_PAUSE and last.paused)
    following = words[at + 2 * len(phrase)].text if at + 2 * len(phrase) < len(words) else ""
    counted = all(w in SMALL or w in DIGITS or len(w) == 1 for w in phrase)
    before = words[at - 1].text if at else ""
    chain = len(phrase) == 2 and (
        (phrase[1] in _LINKS and following == first) or (first in _LINKS and before == phrase[1])
    )
    return len(set(phrase)) > 1 and not counted and not chain


def _spelled(words: Sequence[_Word], at: int) -> bool:
    """Whether a repeated single letter stands among other single letters."""
    around = [*words[max(0, at - 1) : at], *words[at + 2 : at + 3]]
    return any(len(word.text) == 1 and word.text not in ("i", "a") for word in around)
