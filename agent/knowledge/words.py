"""Words for searching: lower-cased, lightly stemmed, with the words that carry a question's content."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_ENDINGS = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""))
_STOP = frozenset(
    """
    a an the and or but if of to in on at by for with from as is are was were be been being am do does did done doing
    have has had having will would can could may might shall should must i me my mine we us our ours you your yours
    he him his she her it its they them their this that these those there here what which who whom whose when where
    why how not no nor so than too very just also only own same such i'm i've i'd i'll it's that's there's what's
    where's who's how's he's she's you're we're they're isn't aren't wasn't don't doesn't didn't can't couldn't won't
    wouldn't shouldn't haven't hasn't cannot get gets got getting give gives go goes going take takes let make makes
    making need needs want wants wanted like please tell know say says thing things something anything someone
    somebody anyone anybody way much many long still already any some more most other another else about into out up
    down off over then now once again ever never one two possible able yes okay ok hi hello thanks thank happens
    happen happened find found put use used using come comes back see look looking try sure really lot lots bit yet
    even kind sort without within around before after while until during both each few all every
    policy policies information info detail details question questions window
    """.split()
)
"""Grammar, and verbs and nouns so general that any page could contain them."""


def words(text: str) -> list[str]:
    """All words in order, lower-cased."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).replace("’", "'").lower())


def content_words(text: str) -> list[str]:
    """The different words that say what a text is about, in order."""
    return list(dict.fromkeys(word for word in words(text) if len(word) > 1 and word not in _STOP))


def stem(word: str) -> str:
    """A word without its common English endings: "deliveries" and "delivery" are one."""
    word = word.removesuffix("'s")
    if len(word) < 4 or not word.isalpha():
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending) + instead
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 4 else word


def without(text: str, word: str) -> str:
    """The text with that word taken out everywhere."""
    pattern = rf"(?<!\w){re.escape(word)}(?!\w)"
    plain = unicodedata.normalize("NFKC", text).replace("’", "'")
    return " ".join(re.sub(pattern, " ", plain, flags=re.IGNORECASE).split())
