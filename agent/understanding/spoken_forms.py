"""From the words of speech to what one would have typed: numbers, e-mail addresses, spelled letters, times.

For recognised speech in English only; typed text never needs it. The passes run in the order of
`written`: what was only a slip of the tongue goes first, then words become figures, then figures and
letters that belong together are joined.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_MAX_CHARS = 4000


def written(text: str) -> str:
    """Speech in written form: "I, uh, I want to, want to return" -> "I want to return".

    "one two three four five", "1-2-3-4-5" and "12, 3, 45" -> "12345"; "j dot smith at example dot com"
    -> "j.smith@example.com"; "half past four" -> "4:30"; "twenty five dollars" -> "$25". What is said on
    purpose ("no, no", "very very late", "one of them") stays. At most 4,000 characters are read.
    """
    text = text[:_MAX_CHARS].strip()
    for step in _STEPS:
        text = step(text)
    return _tidy(text)


# --- slips of the tongue ---------------------------------------------------------------------------

_FILLER = r"(?:u+h+|u+h*m+|e+r+m+|e+r+|a+h+m+|h+m+|m{2,}|uhm+)"
_FILLERS = re.compile(rf"(?:^|(?<=[\s,.;:!?–—-])),?\s*\b{_FILLER}\b(?!-)(?:\s*(?:,|\.{{2,3}}|…))?(?=[\s.!?]|$)", re.I)
_AGREEING = re.compile(r"\b(?:uh|mm|mhm|um)[ -]?(?:huh|hm+|hmm)\b", re.I)
_FRAGMENT = re.compile(r"\b(\w{1,12})(?:-|–|—|\.\.\.|…)[,\s]+(?=(\w+)(?:\s+(\w+))?)")
_GAP = r"(?:\s*,|\s*\.\.\.|\s*…|\s*[–—-])?\s+"
_TWICE_WORD = re.compile(rf"\b([A-Za-z']+)(?:{_GAP}\1\b)+", re.I)
_TWICE_PHRASE = re.compile(rf"\b((?:[A-Za-z']+\s+){{1,4}}[A-Za-z']+)(?:{_GAP}\1\b)+", re.I)
_STUTTERED = frozenset(
    "i i'm i've i'd the a an to my your our his her their its this it is was are am can could would will do does "
    "and or but of in on at for from with we you he she they what where when how why if so if because me order "
    "want need have please number hello hi hey where's what's "
    "how's i'll can't don't that's".split()
)
"""Words that nobody repeats on purpose."""


def _without_fillers(text: str) -> str:
    if _AGREEING.fullmatch(text.strip(" .,!?")):
        return text
    bare = _FILLERS.sub(" ", text)
    return bare if re.search(r"\w", bare) else text


def _without_fragments(text: str) -> str:
    """ "I wan- I want", "re- return": a word broken off and said again."""

    def cut(match: re.Match[str]) -> str:
        fragment, following = match[1].lower(), [word.lower() for word in match.groups()[1:] if word]
        broken = any(word.startswith(fragment) and word != fragment for word in following)
        return "" if broken and not fragment.isdecimal() else match[0]

    return _FRAGMENT.sub(cut, text)


def _without_repeats(text: str) -> str:
    def once(match: re.Match[str]) -> str:
        words = match[1].lower().split()
        if len(words) == 1:
            return match[1] if words[0] in _STUTTERED and not _spelled(match) else match[0]
        if len(set(words)) == 1 or all(w in _SMALL or len(w) == 1 for w in words):
            return match[0]
        return match[1]

    return _TWICE_WORD.sub(once, _TWICE_PHRASE.sub(once, text))


def _spelled(match: re.Match[str]) -> bool:
    """Whether a repeated single letter stands among single letters."""
    text = match.string
    if len(match[1]) > 1:
        return False
    before, after = text[: match.start()].split(), text[match.end() :].split()
    return any(len(w.strip(",.-")) == 1 for w in [*before[-1:], *after[:1]])


# --- spelled letters -------------------------------------------------------------------------------

_NATO = {
    word: word[0]
    for word in (
        "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec "
        "romeo sierra tango uniform victor whiskey yankee zulu"
    ).split()
} | {"alfa": "a", "juliett": "j", "whisky": "w", "x-ray": "x", "xray": "x"}
_AS_IN = re.compile(
    r"\b([A-Za-z])(?:,|\s+is)?\s+(?:as\s+in|like\s+in|for)\s+(?=([A-Za-z]))[A-Za-z]+\b,?"
    r"(?:\s+(?=[A-Za-z]\s+(?:as|like|for)\s))?",
)
_NATO_RUN = re.compile(rf"\b(?:{'|'.join(_NATO)})(?:[\s,]+(?:{'|'.join(_NATO)}))+\b", re.I)
_DOUBLE_LETTER = re.compile(r"\b(double|triple)[ -]([A-TV-Za-tv-z])\b(?!['’])", re.I)
_DOUBLE_U = re.compile(
    r"(?<=\b[A-Za-z])([\s,-]+)double[ -](?:u|you)\b|\bdouble[ -](?:u|you)(?=[\s,-]+[A-Za-z]\b)", re.I
)
_LETTERS = re.compile(
    r"(?<![\w'’.@-])[A-Za-z](?:(?:[ \t]*,[ \t]*|[ \t]*-[ \t]*|\.[ \t]*|[ \t]+)[A-Za-z](?![\w'’@]))+(?![\w'’@-])"
)
_LETTERS_DIGITS = re.compile(r"(?<![\w'’.@-])([A-Z]{2,6}|[B-HJ-Z])[ -](\d{2,})\b(?!:)")
_CLOCK_HALF = re.compile(r"\b([ap])\.?[ ]?m\b\.?", re.I)


def _letters_as_in(text: str) -> str:
    """ "B as in boy" -> "B"; the word must begin with the letter."""

    def letter(match: re.Match[str]) -> str:
        return f"{match[1].upper()} " if match[1].lower() == match[2].lower() else match[0]

    return _AS_IN.sub(letter, text)


def _nato(text: str) -> str:
    def letters(match: re.Match[str]) -> str:
        words = re.findall(r"[a-z-]+", match[0].lower())
        return " ".join(_NATO[w].upper() for w in words) if len(words) >= 3 else match[0]

    return _NATO_RUN.sub(letters, text)


def _double_letters(text: str) -> str:
    def doubled(match: re.Match[str]) -> str:
        return " ".join([match[2]] * (2 if match[1].lower() == "double" else 3))

    return _DOUBLE_LETTER.sub(doubled, _DOUBLE_U.sub(r"\1w", text))


def _joined_letters(text: str) -> str:
    """ "s m i t h", "S-M-I-T-H" -> one word; two letters only before figures; "3 p m" is a time."""

    def joined(match: re.Match[str]) -> str:
        letters = re.findall(r"[A-Za-z]", match[0])
        before_digits = re.match(r"[ -]\d{2,}", match.string[match.end() :])
        enough = len(letters) >= 3 or (len(letters) == 2 and before_digits)
        return "".join(letters) if enough and letters[:2] != ["I", "a"] else match[0]

    return _LETTERS_DIGITS.sub(r"\1\2", _LETTERS.sub(joined, text))


# --- numbers ---------------------------------------------------------------------------------------

_DIGIT_WORDS = dict(zip("zero one two three four five six seven eight nine".split(), range(10), strict=True))
_TEENS = dict(
    zip(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(),
        range(10, 20),
        strict=True,
    )
)
_TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
_TENS["fourty"] = 40
_SCALES = {"thousand": 1000, "million": 1_000_000}
_NOUGHTS = frozenset({"oh", "o", "nought", "naught"})
_TIMES = {"double": 2, "triple": 3, "treble": 3}
_SMALL = {**_DIGIT_WORDS, **_TEENS, **_TENS}
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15,
    "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}  # fmt: skip
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = rf"(?:{'|'.join(_MONTHS)})"

_TOKEN = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)?|\d+(?:,\d{3})+(?!\d)|\d+|\s+|.", re.S)
_ORDINAL_WORDS = re.compile(rf"\b(?:(twenty|thirty)[ -])?({'|'.join(_ORDINALS)})\b(?=(\s+of\s+{_MONTH}\b)?)", re.I)
_GROUPS = re.compile(r"(?<![\w$€£.,:/@-])\d+(?:(?:\s*,\s*|\s*-\s*|\s+|\.\s?)\d+)+(?![\w%@]|[:/.,-]\d|\s*(?:am|pm)\b)")
_THOUSANDS = re.compile(r"(?<![\w$€£.,])\d{1,3}(?:,\d{3})+(?![\d,]|\.\d)(?!\s*(?:dollars|bucks|euros|pounds|cents)\b)")


def _ordinals(text: str) -> str:
    """ "the twenty first of March" -> "the 21st of March"; "the second one", "one second" stay."""

    def ordinal(match: re.Match[str]) -> str:
        tens, unit = (match[1] or "").lower(), _ORDINALS[match[2].lower()]
        value = (_TENS[tens] if tens and unit < 10 else 0) + unit
        if tens and unit >= 10:
            return match[0]
        before = match.string[: match.start()].split()[-1:]
        dated = match[3] or (before and before[0].lower().strip(",.") in _MONTHS)
        if value < 4 and not tens and not dated:
            return match[0]
        return f"{value}{_suffix(value)}"

    return _ORDINAL_WORDS.sub(ordinal, text)


def _suffix(value: int) -> str:
    return "th" if value % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")


@dataclass
class _Number:
    """One number within a run, in figures; `word` says that it was a lone small word."""

    figures: str
    word: bool = False
    doubled: bool = False


def _numbers(text: str) -> str:
    """Number words to figures; neighbours that dictate one number are joined."""
    tokens = _TOKEN.findall(text)
    out: list[str] = []
    at = 0
    while at < len(tokens):
        end, spoken = _run_end(tokens, at)
        if spoken:
            out.append(_run(tokens[at:end], "".join(out[-8:]), tokens[end : end + 4]))
        else:
            end = max(end, at + 1)
            out.extend(tokens[at:end])
        at = end
    return "".join(out)


def _is_number_word(token: str) -> bool:
    word = token.lower()
    return word in _SMALL or word in _SCALES or word in _TIMES or word in _NOUGHTS or word == "hundred"


def _run_end(tokens: Sequence[str], at: int) -> tuple[int, bool]:
    """Where a run of number words and figures that begins at `at` ends, and whether it is a spoken number."""
    end, place, words = at, at, 0
    while place < len(tokens):
        token = tokens[place]
        if _is_number_word(token):
            words += 1
        elif not (token.isdecimal() or _bridge(tokens, place, end > at)):
            break
        place += 1
        if _is_number_word(token) or token.isdecimal():
            end = place
    return end, words > 0 and not _lone_nought(tokens[at:end])


def _lone_nought(run: Sequence[str]) -> bool:
    """ "oh", "oh one moment": an exclamation, not a zero; "double" alone is no number either."""
    words = [t.lower() for t in run if t.strip(" ,.-\t\n")]
    if not words:
        return True
    if all(w in _NOUGHTS or w in _TIMES or w in _SCALES or w == "hundred" for w in words):
        return not (len(words) >= 2 and words[0] in _TIMES and words[1] in _NOUGHTS)
    return False


def _bridge(tokens: Sequence[str], place: int, inside: bool) -> bool:
    """Whether a token between two numbers does not end the run: space, comma, hyphen, "and" after hundred."""
    token = tokens[place].lower()
    if not inside:
        return False
    if token.isspace():
        return True
    if token in (",", "-", "–"):
        return True
    if token == "and":
        before = [t.lower() for t in tokens[max(0, place - 4) : place] if not t.isspace()]
        after = [t.lower() for t in tokens[place + 1 : place + 3] if not t.isspace()]
        return bool(before and after and before[-1] in ("hundred", *_SCALES) and after[0] in _SMALL)
    return False


def _run(run: Sequence[str], before: str, after: Sequence[str]) -> str:
    words = [t.lower() for t in run if t.strip(" \t\n,-–") and t.lower() != "and"]
    lead = ""
    if words[0] in _NOUGHTS and (len(words) < 3 or "," in "".join(run[:2])):
        skipped = next(i for i, t in enumerate(run[1:], 1) if _is_number_word(t) or t.isdecimal())
        lead, run, words = "".join(run[:skipped]), run[skipped:], words[1:]
    if words[0] in _SCALES or words[0] == "hundred":
        words = ["one", *words] if not re.search(r"\b(?:a|several|few|couple|many)\s*$", before, re.I) else words
        if words[0] != "one":
            return lead + "".join(run)
    numbers = _parse(words)
    if numbers is None:
        return lead + "".join(run)
    if len(numbers) == 1 and numbers[0].word:
        return lead + "".join(run) if not _counts(before, after) else lead + numbers[0].figures
    return lead + _written_run(numbers, "".join(run), before)


def _counts(before: str, after: Sequence[str]) -> bool:
    """Whether a lone small number word is to be a figure: before a unit, or after "number", a month, "at"."""
    following = next((t.lower() for t in after if not t.isspace()), "")
    unit = following in _UNITS or (following == "point" and _digit_follows(after))
    return unit or bool(re.search(rf"\b(?:number|option|{_MONTH})\s+$", before, re.I))


_UNITS = frozenset("dollar dollars bucks cents cent euro euros percent pm am p.m. o'clock o’clock".split())


def _digit_follows(after: Sequence[str]) -> bool:
    words = [t.lower() for t in after if not t.isspace()]
    return len(words) > 1 and (words[1] in _SMALL or words[1] in _NOUGHTS)


def _written_run(numbers: Sequence[_Number], said: str, before: str) -> str:
    """A run in figures: as one number where it was dictated, else number by number."""
    figures = [n.figures for n in numbers]
    after_month = re.search(rf"\b{_MONTH}\s+$", before, re.I)
    if _belong_together(numbers) and not after_month:
        return "".join(figures)
    if len(numbers) > 1 and all(n.word for n in numbers):
        return said
    return " ".join(figures)


def _belong_together(numbers: Sequence[_Number]) -> bool:
    figures = [n.figures for n in numbers]
    if len(figures) == 1:
        return True
    if any(len(f) >= 5 for f in figures) or sum(len(f) == 4 for f in figures) > 1:
        return sum(len(f) == 4 for f in figures) == len(figures) and len(figures) >= 3
    return sum(map(len, figures)) >= 3


def _parse(words: Sequence[str]) -> list[_Number] | None:
    """The numbers of a run, greedily; None where it is not well formed."""
    numbers: list[_Number] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word in _TIMES:
            if at + 1 >= len(words) or (digit := _digit(words[at + 1])) is None:
                return None
            numbers.append(_Number(digit * _TIMES[word], doubled=True))
            at += 2
        elif word.isdecimal() and not (words[at + 1 : at + 2] and words[at + 1] in ("hundred", *_SCALES)):
            numbers.append(_Number(word))
            at += 1
        elif word in _NOUGHTS:
            numbers.append(_Number("0"))
            at += 1
        else:
            value, used = _cardinal(words[at:])
            if not used:
                return None
            numbers.append(_Number(str(value), word=used == 1 and value < 10))
            at += used
    return numbers


def _digit(word: str) -> str | None:
    if word in _NOUGHTS:
        return "0"
    if word in _DIGIT_WORDS:
        return str(_DIGIT_WORDS[word])
    return word if word.isdecimal() and len(word) == 1 else None


def _cardinal(words: Sequence[str]) -> tuple[int, int]:
    """The longest cardinal at the start of `words` and how many words it takes; 0 words where none is."""
    total, used = 0, 0
    limit = 10**9
    while used < len(words):
        value, taken = _below_thousand(words[used:])
        if not taken:
            break
        scale = _SCALES.get(words[used + taken]) if used + taken < len(words) else None
        if scale and scale < limit:
            total, used, limit = total + value * scale, used + taken + 1, scale
            continue
        if limit == 10**9 or value < limit:
            total, used = (total + value, used + taken) if limit < 10**9 else (value, taken)
        break
    return total, used


def _below_thousand(words: Sequence[str]) -> tuple[int, int]:
    value, used = _below_hundred(words)
    if not used:
        return 0, 0
    if used < len(words) and words[used] == "hundred" and 0 < value < 100:
        rest, taken = _below_hundred(words[used + 1 :])
        dictated = [word in _DIGIT_WORDS for word in words[used + 1 : used + 3]] == [True, True]
        if dictated or words[used + 1 : used + 2] == ["zero"]:
            taken = 0
        return value * 100 + (rest if taken else 0), used + 1 + taken
    return value, used


def _below_hundred(words: Sequence[str]) -> tuple[int, int]:
    if not words:
        return 0, 0
    word = words[0]
    if word.isdecimal() and len(word) <= 3:
        return int(word), 1
    if word in _TENS:
        unit = _DIGIT_WORDS.get(words[1], 0) if len(words) > 1 else 0
        return (_TENS[word] + unit, 2) if unit else (_TENS[word], 1)
    if word in _TEENS or word in _DIGIT_WORDS:
        return _SMALL[word], 1
    return 0, 0


def _digit_groups(text: str) -> str:
    """The recogniser's own groups of figures that dictate one number: "1-2-3-4-5", "12, 3, 45", "555 123 4567"."""

    def joined(match: re.Match[str]) -> str:
        groups = re.findall(r"\d+", match[0])
        before = match.string[: match.start()].rstrip(", ").rpartition(" ")[2].lower()
        hyphened = set(re.findall(r"\D", match[0])) == {"-"}
        dotted = "." in match[0]
        if before in _MONTHS or (before in _SHORT_MONTHS):
            return match[0]
        if (hyphened or dotted) and any(len(g) > 1 for g in groups):
            return match[0]
        if _belong_together([_Number(g) for g in groups]):
            return "".join(groups)
        return match[0]

    bare = _THOUSANDS.sub(lambda m: m[0].replace(",", ""), text)
    return _GROUPS.sub(joined, bare)


_SHORT_MONTHS = frozenset(m[:3] for m in _MONTHS) | {"sept"}


# --- times, money ----------------------------------------------------------------------------------

_HOURS = {word: value for word, value in {**_DIGIT_WORDS, **_TEENS}.items() if 1 <= value <= 12}
_HOUR = rf"(?:{'|'.join(_HOURS)}|1[0-2]|[1-9])"
_FIFTHS = {"five": 5, "ten": 10, "quarter": 15, "a quarter": 15, "twenty": 20, "twenty five": 25, "twenty-five": 25}
_ONE_TO_NINE = "|".join(list(_DIGIT_WORDS)[1:])
_MINUTE = rf"(?:oh[ -](?:{_ONE_TO_NINE})|{'|'.join(_TEENS)}|(?:twenty|thirty|forty|fifty)(?:[ -](?:{_ONE_TO_NINE}))?)"
_PAST = re.compile(
    rf"\b(half|{'|'.join(reversed(_FIFTHS))}|5|10|20|25)(?:\s+minutes)?\s+(past|after)\s+({_HOUR})\b(?!:)", re.I
)
_QUARTER_TO = re.compile(rf"\b((?:a\s+)?quarter)\s+(?:to|till?|of|before)\s+({_HOUR})\b(?!:)", re.I)
_MINUTES_TO = re.compile(
    r"(?:(?<=\bat\s)|(?<=\bby\s)|(?<=\baround\s)|(?<=\babout\s))"
    rf"({'|'.join(reversed(_FIFTHS))})(?:\s+minutes)?\s+(?:to|till?)\s+({_HOUR})\b",
    re.I,
)
_AT_TIME = re.compile(
    rf"\b(at|by|around|about|before|after|until|till|from|to|say)\s+({_HOUR})[ -]({_MINUTE})\b"
    r"(?![ -]?(?:hundred|thousand|dollars?|bucks|percent|people|items|days|weeks|months|hours|minutes|euros|cents|"
    rf"zero|oh|{_ONE_TO_NINE})\b)",
    re.I,
)
_TIME_HALF = re.compile(rf"\b({_HOUR})(?:[ -]({_MINUTE}))?\s+(a|p)\.?\s?m\b\.?(?=\W|$)", re.I)
_OCLOCK = re.compile(rf"\b({_HOUR})\s+o[’' ]?\s?clock\b", re.I)
_POINT = re.compile(r"\b(\d+)\s+point\s+((?:(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|\d+)\b\s*)+)", re.I)
_AMOUNT = r"(\d+(?:[.,]\d+)*)"
_DOLLARS_CENTS = re.compile(
    rf"(?<![$€£\d.,]){_AMOUNT}\s*(dollars?|bucks|euros?)(?:\s+and)?\s+(\d{{1,2}})(?:\s+cents?\b|(?=\s*[.,!?]?\s*$))",
    re.I,
)
_CURRENCY = re.compile(rf"(?<![$€£\d.,]){_AMOUNT}\s*(dollars?|bucks|euros?)\b", re.I)
_PERCENT = re.compile(r"(?<=\d)\s*per\s?cent\b", re.I)
_HUNDRED = re.compile(
    r"\b(?:a|one)\s+(hundred|thousand)\b(?=\s+(?:and\s+\w+|dollars?|bucks|euros?|percent|per\s?cent|\w+teen|\w+ty)\b)",
    re.I,
)


def _hour(word: str) -> int:
    return int(word) if word.isdecimal() else _HOURS[word.lower()]


def _minutes(words: str) -> int:
    value = 0
    for word in re.split(r"[ -]", words.lower()):
        value += 0 if word == "oh" else int(word) if word.isdecimal() else _SMALL[word]
    return value


def _times(text: str) -> str:
    """ "half past four" -> "4:30", "at four thirty" -> "at 4:30", "three p m" -> "3 pm"."""

    def past(match: re.Match[str]) -> str:
        name = match[1].lower()
        minutes = 30 if name == "half" else int(name) if name.isdecimal() else _FIFTHS[name]
        return f"{_hour(match[3])}:{minutes:02}"

    def to(match: re.Match[str]) -> str:
        minutes = _FIFTHS[re.sub(r"\s+", " ", match[1].lower())]
        return f"{(_hour(match[2]) - 2) % 12 + 1}:{60 - minutes}"

    def half(match: re.Match[str]) -> str:
        minutes = f":{_minutes(match[2]):02}" if match[2] else ""
        return f"{_hour(match[1])}{minutes} {match[3].lower()}m"

    text = _PAST.sub(past, text)
    text = _MINUTES_TO.sub(to, _QUARTER_TO.sub(to, text))
    text = _TIME_HALF.sub(half, text)
    text = _AT_TIME.sub(lambda m: f"{m[1]} {_hour(m[2])}:{_minutes(m[3]):02}", text)
    return _OCLOCK.sub(lambda m: f"{_hour(m[1])} o'clock", text)


def _hundreds(text: str) -> str:
    """ "a hundred dollars" -> "one hundred dollars", which the number pass reads."""
    return _HUNDRED.sub(lambda m: f"one {m[1]}", text)


def _points(text: str) -> str:
    def point(match: re.Match[str]) -> str:
        words = match[2].split()
        figures = "".join(w if w.isdecimal() else (_digit(w.lower()) or "") for w in words)
        return f"{match[1]}.{figures}{' ' if match[2][-1:].isspace() else ''}"

    return _POINT.sub(point, text)


def _money(text: str) -> str:
    """ "25 dollars and 50 cents" -> "$25.50"."""

    def sign(unit: str) -> str:
        return "€" if unit.lower().startswith("euro") else "$"

    text = _DOLLARS_CENTS.sub(lambda m: f"{sign(m[2])}{m[1]}.{int(m[3]):02}", text)
    return _PERCENT.sub("%", _CURRENCY.sub(lambda m: f"{sign(m[2])}{m[1]}", text))


# --- e-mail addresses ------------------------------------------------------------------------------

_TLDS = (
    "com|org|net|edu|gov|io|co|info|biz|me|app|dev|eu|uk|de|fr|es|it|nl|ch|at|be|ca|au|us|nz|ie|in|jp|cn|br|mx|se|"
    "no|dk|fi|pl|pt|cz|tv|ai|store|shop|online|tech|cloud|email|test|example"
)
_PROVIDERS = {
    r"g[ -]mail": "gmail", r"hot[ -]mail": "hotmail", r"out[ -]look": "outlook", r"i[ -]cloud": "icloud",
    r"proton[ -]mail": "protonmail", r"ya[ -]hoo": "yahoo",
}  # fmt: skip
_MAYBE_EMAIL = re.compile(r"@|\bat\b", re.I)
_ONE_WORD = re.compile(r"\b(\w+)\s+(\w+),?\s+(?:all\s+)?(?:as\s+)?one\s+word,?(?=\s+(?:at|@))", re.I)
_SPLIT_PROVIDER = re.compile(rf"\b(at|@)\s+({'|'.join(_PROVIDERS)})\b", re.I)
_JOINT = r"(?:\s*\.\s*|\s+(?:dot|period|point|underscore|under\s+score|dash|hyphen|minus|plus)\s+|\s*[_+-]\s*)"
_PART = r"(?:[A-Za-z0-9]\s+){1,30}[A-Za-z0-9](?=\s)|[A-Za-z0-9]{1,40}(?:\s+\d{1,6}(?!\w))?"
_AT = r"(?:\s+at(?:\s+sign)?\s+|\s*@\s*)"
_HOST = rf"[A-Za-z0-9-]{{1,40}}(?:{_JOINT}[A-Za-z0-9-]{{1,40}}){{0,3}}?"
_EMAIL = re.compile(
    rf"(?<![\w@.-])((?:{_PART})(?:{_JOINT}(?:{_PART})){{0,5}}){_AT}({_HOST})(?:\s*\.\s*|\s+dot\s+)({_TLDS})"
    r"((?:\s*\.\s*|\s+dot\s+)(?:uk|au|nz|jp|br|mx|in))?\b(?!\s*@)",
    re.I,
)
_EMAIL_CUE = re.compile(
    r"(?:^|\b(?:is|it's|it’s|that's|that’s|e-?mail|mail|address|to|under|use|with|as|be|me at|on|or|and|yes|yeah|"
    r"sure|so)|[:,.!?])\s*$",
    re.I,
)
_NOT_A_LOCAL_PART = frozenset(
    "it that this was is me look looked looking bought buy ordered order shop shopping found find saw see store "
    "online item items stuff page site works working work am are be up down here there back us you him her them "
    "i we arrived delivered available stay staying meet".split()
)
_JOINTS = {
    "dot": ".",
    "period": ".",
    "point": ".",
    "underscore": "_",
    "dash": "-",
    "hyphen": "-",
    "minus": "-",
    "plus": "+",
}


def _emails(text: str) -> str:
    """ "j dot smith at example dot com" -> "j.smith@example.com".

    "I saw it at amazon dot com" stays: a plain word before "at" needs a cue such as "my e-mail is".
    """
    if not _MAYBE_EMAIL.search(text):
        return text
    text = _ONE_WORD.sub(r"\1\2", text)
    text = _SPLIT_PROVIDER.sub(lambda m: f"{m[1]} {re.sub(r'[ -]', '', m[2].lower())}", text)

    def address(match: re.Match[str]) -> str:
        local, host = _squeezed(match[1]), _squeezed(match[2])
        plain = local.isalpha() and " " not in match[1].strip()
        if plain and "@" not in match[0]:
            cued = _EMAIL_CUE.search(match.string[: match.start()])
            if local.lower() in _NOT_A_LOCAL_PART or not cued:
                return match[0]
        country = _squeezed(match[4]) if match[4] else ""
        return f"{local}@{host}.{match[3]}{country}".lower()

    return _EMAIL.sub(address, text)


def _squeezed(spoken: str) -> str:
    words = re.sub(r"\bunder\s+score\b", "underscore", spoken, flags=re.I).split()
    return "".join(_JOINTS.get(word.lower(), word) for word in words)


# --- together --------------------------------------------------------------------------------------


def _tidy(text: str) -> str:
    text = re.sub(r"\s+([,.!?;:])(?=\s|$)", r"\1", re.sub(r"[^\S\n]+", " ", text))
    text = re.sub(r",(?:\s*,)+", ",", text)
    text = re.sub(r"^[\s,;.]+(?=\w)", "", text).strip()
    alone = re.fullmatch(r"([A-Z0-9]+)\.", text)
    return alone[1] if alone and any(ch.isdecimal() for ch in text) else text


_STEPS: tuple[Callable[[str], str], ...] = (
    _without_fillers,
    _without_fragments,
    _without_repeats,
    _letters_as_in,
    _nato,
    _double_letters,
    _times,
    _ordinals,
    _hundreds,
    _numbers,
    _points,
    _digit_groups,
    _money,
    _emails,
    _joined_letters,
)
