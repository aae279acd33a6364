"""Running text, cut into sentences; list items and steps keep their marker."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MARKER = re.compile(r"\A(?:- |\d{1,3}\. )")
_NUMBER = re.compile(r"\A\d{1,3}\. ")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]”’]*\s+(?=[\"'(\[“‘]?[A-Z0-9À-ÞА-Я$€£])|(?<=[。！？])")
_ABBREVIATION = re.compile(
    r"(?:\A|[\s(\"'“])(?:(?:Mrs?|Ms|Dr|Prof|St|No|Nos|Inc|Ltd|Co|vs|approx|incl|excl|min|max|ext|Ave|Blvd|Rd|Ste|"
    r"e\.g|i\.e|etc|cf|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun)|[A-Za-z]|"
    r"(?:[A-Za-z]\.){1,4}[A-Za-z])\.\Z",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b[ap]\.m\.\Z", re.IGNORECASE)
_STARTS = frozenset(
    "A After All An And Any As At Before Both But By Each Every For From However If In It Its No Not On Once Only "
    "Orders Otherwise Our Please Some The Then There These They This Those To Until We When While With You Your".split()
)
"""Words that begin a new sentence after "5 p.m."."""


def split_sentences(text: str) -> list[str]:
    """A paragraph's sentences; abbreviations, initials and "2 p.m. Eastern" end none."""
    sentences: list[str] = []
    start = 0
    for end in _SENTENCE_END.finditer(text):
        before, after = text[start : end.start()], text[end.end() :]
        if not _ends_sentence(before, after):
            continue
        sentences.append(text[start : end.end()].strip())
        start = end.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence]


def bare(sentence: str) -> str:
    """A sentence without its list marker."""
    return _MARKER.sub("", sentence)


def is_item(sentence: str) -> bool:
    """Whether it is a list item or a step."""
    return _MARKER.match(sentence) is not None


def is_step(sentence: str) -> bool:
    """Whether it is one of numbered steps."""
    return _NUMBER.match(sentence) is not None


def joined(sentences: Sequence[str]) -> str:
    """Sentences as readable text: prose flows, items and rows stand on lines of their own."""
    text = ""
    for n, sentence in enumerate(sentences):
        if n == 0:
            text = sentence
        elif is_item(sentence):
            text += "\n" + sentence
        elif is_item(sentences[n - 1]):
            text += "\n\n" + sentence
        else:
            text += " " + sentence
    return text


def _ends_sentence(before: str, after: str) -> bool:
    if _CLOCK.search(before):
        return after.split(maxsplit=1)[0].strip("\"'(“") in _STARTS
    return _ABBREVIATION.search(before[-12:]) is None
