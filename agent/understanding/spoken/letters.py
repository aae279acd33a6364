"""Spelled letters: "B as in boy", "capital S m i t h", "alpha bravo charlie", "double t", "A B dash 7 7"."""

from __future__ import annotations

import re

from agent.understanding.spoken.words import CAPITAL, DIGITS, NATO, SPELLED, SPELLING_WORDS

_AS_IN = re.compile(
    r"(?<![\w'’-])([A-Za-z])(?:,|\s{1,3}is)?\s{1,3}(as\s{1,3}in|like\s{1,3}in|like|for)\s{1,3}"
    r"(?:the\s{1,3}word\s{1,3})?([A-Za-z-]{1,20})\b,?",
    re.I,
)
_NATO_WORD = "(?:" + "|".join(NATO).replace("x-ray", "x[ -]ray") + ")"
_NATO_RUN = re.compile(rf"\b{_NATO_WORD}(?:[\s,]{{1,4}}{_NATO_WORD})+\b", re.I)
_DIGIT_NEAR = re.compile(r"^[\s,-]{1,4}(?:\d|(?:zero|one|two|three|four|five|six|seven|eight|nine|double|oh)\b)", re.I)
_DOUBLE_LETTER = re.compile(rf"\b(double|triple)[ -](?!o[ -](?:\d|{'|'.join(DIGITS)}))([A-TV-Za-tv-z])\b(?!['’])", re.I)
_DOUBLE_U = re.compile(
    r"(?<=\b[A-Za-z])([\s,-]{1,4})double[ -](?:u|you)\b|\bdouble[ -](?:u|you)(?=[\s,-]{1,4}[A-Za-z]\b)", re.I
)
_ZED = re.compile(r"(?<=\b[A-Za-z][\s,-])(\s?)zed\b|\bzed(?=[\s,-]{1,3}[A-Za-z]\b)", re.I)
_CAPITAL = re.compile(r"\b(?:capital|upper[ -]?case)\s{1,3}(?:letter\s{1,3})?([A-Za-z])(?![\w'’])", re.I)
_LETTER = rf"[{SPELLED}{CAPITAL}]?[A-Za-z](?![\w'’@])"
_LETTERS = re.compile(
    rf"(?<![\w'’.@-])(?:{_LETTER}(?:(?:[ \t]{{0,3}},[ \t]{{0,3}}|[ \t]{{0,3}}-[ \t]{{0,3}}|\.[ \t]{{0,3}}|[ \t]{{1,3}})"
    rf"{_LETTER})+|[{SPELLED}{CAPITAL}][A-Za-z])(?![\w'’@-])"
)
_MARKS = re.compile(f"[{SPELLED}{CAPITAL}]")
_CODE = re.compile(r"(?<![\w'’.@-])([A-Z]{2,6}|[B-HJ-Z])[ ](\d{2,})\b(?!:)")
_DASHED = re.compile(
    r"(?<![\w'’@])([A-Z]{1,6}|[A-Z]{0,6}\d{1,12})\s{1,3}(?:dash|hyphen|minus)\s{1,3}(?=[A-Z]{0,6}\d{2,}|[A-Z]{1,6}\b)"
)
_PAIRS = frozenset("ok uk us eu tv pc id po qr dm vr".split())
"""Two letters that are a word of their own."""
_BEFORE_DIGITS = re.compile(r"(?:[ -]| dash | hyphen )\d{2,}", re.I)


def letters_as_in(text: str) -> str:
    """ "B as in boy", "b for bravo" -> "B"; the word must begin with the letter."""

    def letter(match: re.Match[str]) -> str:
        said, how, word = match[1].lower(), match[2].lower(), match[3].lower()
        known = how not in ("for", "like") or word in SPELLING_WORDS
        return f"{SPELLED}{match[1].upper()} " if known and word.startswith(said) else match[0]

    return _AS_IN.sub(letter, text)


def spelling_alphabet(text: str) -> str:
    """ "alpha bravo charlie" -> "A B C"; two words of it are enough before figures."""

    def letters(match: re.Match[str]) -> str:
        words = [word.lower() for word in re.findall(_NATO_WORD, match[0], re.I)]
        enough = len(words) >= 3 or _DIGIT_NEAR.match(text[match.end() : match.end() + 12])
        return " ".join(SPELLED + w[0].upper() for w in words) if enough else match[0]

    return _NATO_RUN.sub(letters, text)


def double_letters(text: str) -> str:
    """ "double t" -> "t t"; "double u" among letters -> "w"; "zed" among letters -> "z"."""

    def doubled(match: re.Match[str]) -> str:
        return " ".join([SPELLED + match[2]] * (2 if match[1].lower() == "double" else 3))

    return _DOUBLE_LETTER.sub(doubled, _ZED.sub(r"\1z", _DOUBLE_U.sub(r"\1w", text)))


def capitals(text: str) -> str:
    """ "capital S" -> a marked S, so that the letters after it stay small."""
    return _CAPITAL.sub(lambda m: CAPITAL + m[1].upper(), text)


def joined_letters(text: str) -> str:
    """ "s m i t h", "S-M-I-T-H" -> "SMITH", with a capital S -> "Smith"; "A B 77" -> "AB77", "AB dash 12" -> "AB-12".

    Two letters are joined only where they were named as letters, stand before figures, or are a known pair ("U K").
    """

    def joined(match: re.Match[str]) -> str:
        said = match[0]
        letters = re.findall(rf"[{SPELLED}{CAPITAL}]?[A-Za-z]", said)
        word = _MARKS.sub("", "".join(letters))
        if CAPITAL in said:
            return "".join(x[1] if x[0] == CAPITAL else x[-1].lower() for x in letters)
        enough = len(word) >= 3 or word.lower() in _PAIRS or _BEFORE_DIGITS.match(text[match.end() : match.end() + 24])
        if SPELLED not in said and (not enough or word[:2] in ("Ia", "ia")):
            return said
        return word.upper()

    text = _LETTERS.sub(joined, text)
    return _DASHED.sub(r"\1-", _CODE.sub(r"\1\2", _MARKS.sub("", text)))
