"""Spoken words to phonemes: ARPAbet with stress, as CMU writes it ("hello" -> HH AH0 L OW1).

The words come from the dictionary that pocketsphinx ships (BSD), which knows no stress; stress comes from
flite's lexicon where that is installed, else from rules. A word that neither knows is taken apart
(plural, "-ing", two words in one), asked of flite's trained letter rules, or read by the letter rules
below: it is never silent.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from processors.speech import flite_lexicon, weights

Phones = tuple[str, ...]

VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())

_LETTERS = dict(
    line.split(" ", 1)
    for line in (
        "A EY1|B B IY1|C S IY1|D D IY1|E IY1|F EH1 F|G JH IY1|H EY1 CH|I AY1|J JH EY1|K K EY1|L EH1 L|M EH1 M|"
        "N EH1 N|O OW1|P P IY1|Q K Y UW1|R AA1 R|S EH1 S|T T IY1|U Y UW1|V V IY1|W D AH1 B AH0 L Y UW0|"
        "X EH1 K S|Y W AY1|Z Z IY1"
    ).split("|")
)
_BY_HAND = dict(
    line.split(" ", 1)
    for line in (
        "a AH0|the DH AH0|i AY1|live L IH1 V|read R IY1 D|use Y UW1 Z|close K L OW1 Z|record R EH1 K ER0 D|"
        "lead L IY1 D|us AH1 S|"
        "id AY2 D IY1|okay OW2 K EY1|o'clock AH0 K L AA1 K|wi W AY1|fi F AY2|miz M IH1 Z|cetera S EH1 T ER0 AH0|"
        "et EH1 T|faq F AE1 K|email IY1 M EY2 L|online AA1 N L AY2 N|website W EH1 B S AY2 T"
    ).split("|")
)
_SUFFIXES = (("'s", "s"), ("s'", "s"), ("es", "s"), ("s", "s"), ("ing", "ing"), ("ed", "ed"), ("er", "er"),
             ("ly", "ly"), ("ness", "ness"), ("ment", "ment"))  # fmt: skip
_ENDINGS = {
    "er": ("ER0",), "ing": ("IH0", "NG"), "ly": ("L", "IY0"), "ness": ("N", "AH0", "S"),
    "ment": ("M", "AH0", "N", "T"),
}  # fmt: skip
_WEAK_PREFIXES = frozenset(
    tuple(prefix.split()) for prefix in ("R IH", "D IH", "B IH", "P R IH", "IH G", "IH K", "IH M", "P ER", "K AH N")
)
_UNVOICED = frozenset("P T K F TH".split())
_HISSING = frozenset("S Z SH ZH CH JH".split())

_LETTER_RULES = tuple(
    (pattern, tuple(phones.split()))
    for pattern, _, phones in (
        rule.rpartition("=")
        for rule in (
            "tion$=SH AH N|sion$=ZH AH N|ture$=CH ER|cious$=SH AH S|tious$=SH AH S|ough=AO|augh=AO F|eigh=EY|"
            "igh=AY|tch=CH|dge=JH|sch=SH|ch=CH|sh=SH|th=TH|ph=F|wh=W|ck=K|ng$=NG|ng(?=[^aeiou])=NG|qu=K W|"
            "^kn=N|^wr=R|^ps=S|^gn=N|mb$=M|^x=Z|x=K S|ee=IY|ea=IY|oo=UW|ou=AW|ow$=OW|ow=AW|oi=OY|oy=OY|"
            "ai=EY|ay=EY|au=AO|aw=AO|ei=EY|ey$=IY|ey=EY|ie$=IY|ie=IY|oa=OW|oe$=OW|ue$=UW|ui=UW|eu=Y UW|ew=UW|"
            "ar=AA R|er=ER|ir=ER|ur=ER|or=AO R|a(?=[^aeiouy]e$)=EY|e(?=[^aeiouy]e$)=IY|i(?=[^aeiouy]e$)=AY|"
            "o(?=[^aeiouy]e$)=OW|u(?=[^aeiouy]e$)=UW|bb=B|cc=K|dd=D|ff=F|gg=G|kk=K|ll=L|mm=M|nn=N|pp=P|rr=R|"
            "ss=S|tt=T|vv=V|zz=Z|c(?=[eiy])=S|g(?=[eiy])=JH|s(?=[aeiou]$)=Z|(?<=[aeiou])s(?=[aeiou])=Z|"
            "(?<=[^aeiouy])e$=|^y=Y|y$=IY|y=IH|a$=AH|a=AE|e=EH|i$=IY|i=IH|o$=OW|o=AA|u=AH|b=B|c=K|d=D|f=F|g=G|"
            "h=HH|j=JH|k=K|l=L|m=M|n=N|p=P|q=K|r=R|s=S|t=T|v=V|w=W|z=Z"
        ).split("|")
    )
)
_COMPILED_RULES = tuple((re.compile(pattern), phones) for pattern, phones in _LETTER_RULES)


def is_known(word: str) -> bool:
    """Whether the dictionary has this lower-case word."""
    return word in _BY_HAND or _listed(word) is not None


@lru_cache(maxsize=20_000)
def phones(word: str) -> Phones:
    """The phonemes of one spoken word (see pronunciation.py): never empty for a word with letters."""
    if word[:1].isupper():
        letter = tuple(_LETTERS[word[0]].split())
        return letter + _ending("s", letter) if word.endswith("'s") else letter
    if word in _BY_HAND:
        return tuple(_BY_HAND[word].split())
    return (
        _known(word)
        or _inflected(word)
        or _compound(word)
        or flite_lexicon.phones(word.replace("'", ""))
        or stressed(_by_letters(word))
    )


@cache
def _dictionary() -> bytes:
    return b"\n" + weights.cmudict().read_bytes()


@lru_cache(maxsize=20_000)
def _listed(word: str) -> Phones | None:
    """The dictionary's first pronunciation, without stress."""
    text = _dictionary()
    if not word.isascii() or not word or (start := text.find(b"\n" + word.encode() + b" ")) < 0:
        return None
    line = text[start + 1 : text.find(b"\n", start + 1)]
    return tuple(line.decode("ascii").split()[1:])


def _known(word: str) -> Phones | None:
    listed = _listed(word)
    if listed is None:
        return None
    by_flite = flite_lexicon.phones(word) if "'" not in word else None
    if by_flite and _vowel_count(by_flite) == _vowel_count(listed):
        return _with_stress_of(listed, by_flite)
    return stressed(listed)


def _vowel_count(word: Phones) -> int:
    return sum(phone.rstrip("012") in VOWELS for phone in word)


def _with_stress_of(listed: Phones, model: Phones) -> Phones:
    """flite marks secondary stress like the main one: the main one is the first in short words and before "-ate"."""
    marks = ["1" if phone[-1] == "1" else "0" for phone in model if phone.rstrip("012") in VOWELS]
    strong = [index for index, mark in enumerate(marks) if mark == "1"]
    vowels = [phone for phone in listed if phone in VOWELS]
    ends_late = bool(strong) and strong[-1] < len(marks) - 1
    late = ends_late and (_before_suffix(listed) == strong[-1] or (len(marks) > 3 and vowels[strong[-1]] != "EY"))
    main = strong[-1 if late else 0] if strong else -1
    marks = ["2" if mark == "1" and index != main else mark for index, mark in enumerate(marks)]
    each = iter(marks)
    return tuple(phone + next(each) if phone in VOWELS else phone for phone in listed)


def _inflected(word: str) -> Phones | None:
    """A known word with an ending: "reorders", "unboxing", "acme's"."""
    for suffix, kind in _SUFFIXES:
        if not word.endswith(suffix) or len(word) - len(suffix) < 2:
            continue
        base = word[: -len(suffix)]
        doubled = base[:-1] if len(base) > 3 and base[-1] == base[-2] else ""
        for candidate in (base, base + "e", doubled, base[:-1] + "y" if base.endswith("i") else ""):
            found = _known(candidate) if candidate else None
            if found:
                return found + _ending(kind, found)
        if suffix in ("'s", "s'"):
            found = phones(base)
            return found + _ending(kind, found)
    return None


def _ending(kind: str, base: Phones) -> Phones:
    last = base[-1].rstrip("012")
    if kind == "s":
        return ("IH0", "Z") if last in _HISSING else ("S",) if last in _UNVOICED else ("Z",)
    if kind == "ed":
        unvoiced = last in _UNVOICED or last in ("S", "SH", "CH")
        return ("IH0", "D") if last in ("T", "D") else ("T",) if unvoiced else ("D",)
    return _ENDINGS[kind]


def _compound(word: str) -> Phones | None:
    """Two known words written as one, cut where the shorter is longest: "openline", "trackpad"."""
    cuts = sorted(range(3, len(word) - 2), key=lambda cut: abs(len(word) - 2 * cut))
    for cut in cuts:
        first, second = _known(word[:cut]), _known(word[cut:])
        if first and second:
            return first + tuple(phone.replace("1", "2") for phone in second)
    return None


def _by_letters(word: str) -> Phones:
    letters = re.sub("[^a-z]", "", word)
    if letters and not re.search("[aeiouy]", letters):
        return tuple(phone.rstrip("012") for letter in letters for phone in _LETTERS[letter.upper()].split())
    found: list[str] = []
    position = 0
    while position < len(letters):
        for pattern, said in _COMPILED_RULES:
            if match := pattern.match(letters, position):
                found += said
                position = match.end()
                break
    return tuple(found)


def stressed(word: Phones) -> Phones:
    """Give phonemes without stress the likeliest: one main stress, by the ending or the first full vowel."""
    places = [index for index, phone in enumerate(word) if phone in VOWELS]
    if not places:
        return word
    main = places[_main_stress([word[index] for index in places], word)]
    return tuple(
        f"{phone}{1 if index == main else 0}" if phone in VOWELS else phone for index, phone in enumerate(word)
    )


def _main_stress(vowels: list[str], word: Phones) -> int:
    """Which of the vowels bears the main stress."""
    if len(vowels) == 1:
        return 0
    before_suffix = _before_suffix(word)
    if before_suffix is not None:
        return before_suffix
    second, second_is_last, open_end = vowels[1], len(vowels) == 2, word[-1] in VOWELS
    if second in ("AH", "IH") or (second == "ER" and (vowels[0] == "AH" or not second_is_last)):
        return 1 if second == "IH" and word[:2] in _WEAK_PREFIXES and not second_is_last else 0
    if second_is_last and open_end and (second in ("IY", "ER") or (second == "OW" and vowels[0] != "AH")):
        return 0
    return 1 if vowels[0] in ("AH", "ER") or word[:2] in _WEAK_PREFIXES or word[:3] in _WEAK_PREFIXES else 0


def _before_suffix(word: Phones) -> int | None:
    """The vowel that "-tion", "-sion", "-ic" or "-ity" draws the stress to."""
    stem = word[:-1] if word[-1] in ("Z", "S") else word
    count = _vowel_count(word)
    if stem[-3:] in (("SH", "AH", "N"), ("ZH", "AH", "N")) or (stem[-2:] == ("IH", "K") and count > 1):
        return count - 2
    if stem[-3:] in (("AH", "T", "IY"), ("IH", "T", "IY"), ("AH", "JH", "IY")) and count > 2:
        return count - 3
    return None
