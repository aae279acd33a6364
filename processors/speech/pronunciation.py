"""Written words to spoken words: what a voice says for "$5.20", "12345", "jane@example.com" or "Dr.".

    spoken("Order 12345 costs $5.")  ->  [("Order", ("order",)),
                                          ("12345", ("one", "two", "three", "four", "five")),
                                          ("costs", ("costs",)),
                                          ("$5.",   ("five", "dollars", "."))]

Every written word keeps its place, so that what was heard can be told in written words again. A spoken
word is lower-case letters and apostrophes, a single capital letter (that letter's name), or one of the
pauses `,` `.` `?` `!`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from num2words import num2words

from processors.speech.lexicon import is_known

SpokenWord = tuple[str, tuple[str, ...]]
"""(the written word, what is said for it)."""

PAUSES = frozenset(",.?!")

_LONGEST_WORD = 200
"""Of a longer "word" only this many characters are said: no voice should read on for minutes."""

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH_SHORT = {name[:3]: name for name in _MONTHS} | {"sept": "september"}
_DAY_SHORT = {
    "mon": "monday", "tue": "tuesday", "tues": "tuesday", "wed": "wednesday", "thu": "thursday",
    "thur": "thursday", "thurs": "thursday", "fri": "friday", "sat": "saturday", "sun": "sunday",
}  # fmt: skip
_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "ms": "miz", "prof": "professor", "sr": "senior", "jr": "junior",
    "vs": "versus", "etc": "et cetera", "approx": "approximately", "dept": "department", "apt": "apartment",
    "ave": "avenue", "blvd": "boulevard", "rd": "road", "inc": "incorporated", "ltd": "limited",
    "corp": "corporation", "tel": "telephone", "ext": "extension", "est": "estimated", "qty": "quantity",
    "e.g": "for example", "i.e": "that is", "a.k.a": "also known as", "p.s": "P S", "w/": "with",
    "w/o": "without", "incl": "including", "max": "maximum", "min": "minimum", "ref": "reference",
}  # fmt: skip
_NEEDS_DOT = frozenset({"ave", "est", "max", "min", "ref", "sun", "mon", "sat", "wed", "fri", "mar", "jan",
                        "dec", "tel", "ext", "rd", "corp", "inc", "apt", "ms"})  # fmt: skip
_UNITS = {
    "kg": ("kilogram", "kilograms"), "g": ("gram", "grams"), "mg": ("milligram", "milligrams"),
    "km": ("kilometer", "kilometers"), "m": ("meter", "meters"), "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"), "mi": ("mile", "miles"), "ft": ("foot", "feet"),
    "in": ("inch", "inches"), '"': ("inch", "inches"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"), "l": ("liter", "liters"), "ml": ("milliliter", "milliliters"),
    "kb": ("kilobyte", "kilobytes"), "mb": ("megabyte", "megabytes"), "gb": ("gigabyte", "gigabytes"),
    "tb": ("terabyte", "terabytes"), "hz": ("hertz", "hertz"), "mhz": ("megahertz", "megahertz"),
    "ghz": ("gigahertz", "gigahertz"), "w": ("watt", "watts"), "kw": ("kilowatt", "kilowatts"),
    "kwh": ("kilowatt hour", "kilowatt hours"), "v": ("volt", "volts"),
    "mah": ("milliamp hour", "milliamp hours"), "°c": ("degree celsius", "degrees celsius"),
    "°f": ("degree fahrenheit", "degrees fahrenheit"), "°": ("degree", "degrees"), "h": ("hour", "hours"),
    "hr": ("hour", "hours"), "hrs": ("hour", "hours"), "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"), "s": ("second", "seconds"), "sec": ("second", "seconds"),
    "secs": ("second", "seconds"), "ms": ("millisecond", "milliseconds"),
    "mph": ("mile per hour", "miles per hour"), "px": ("pixel", "pixels"), "x": ("time", "times"),
    "€": ("euro", "euros"), "£": ("pound", "pounds"), "usd": ("dollar", "dollars"),
    "eur": ("euro", "euros"), "gbp": ("pound", "pounds"), "%": ("percent", "percent"),
}  # fmt: skip
_NOT_ALONE = frozenset({"g", "m", "in", "l", "w", "v", "h", "s", "x", '"', "ms"})
_COINS = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
}
_SCALES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion"}
_SCALE_WORDS = frozenset({"hundred", "thousand", "million", "billion", "trillion"})
_SYMBOLS = {
    "&": "and", "+": "plus", "=": "equals", "@": "at", "%": "percent", "#": "number", "/": "slash",
    "→": "to", "×": "times", "÷": "divided by", "±": "plus or minus", "<": "less than",
    ">": "greater than", "©": "copyright", "™": "trademark", "°": "degrees", "$": "dollars",
    "€": "euros", "£": "pounds", "-": ",", "–": ",", "—": ",", "…": ".", ":": ",", "|": ",",
}  # fmt: skip
_FRACTIONS = {"1/2": "one half", "1/3": "one third", "2/3": "two thirds", "1/4": "one quarter",
              "3/4": "three quarters", "½": "one half", "¼": "one quarter", "¾": "three quarters",
              "24/7": "twenty four seven"}  # fmt: skip
_IDENTIFIERS = frozenset(
    "number no code pin ending digits digit id reference ticket tracking account card extension order "
    "case confirmation zip postcode serial invoice".split()
)
_LETTER_NOUNS = frozenset("option plan grade letter vitamin group section size type gate class".split())
_INITIALISMS = frozenset(
    "ID US USA UK EU TV PC FAQ VAT ATM CEO PDF URL SMS IT AI API QR IP DVD CD IBAN SIM ETA PO RMA SKU USB "
    "LED LCD HD HDMI GPS DIY RSVP PS VIP TBA TBD AM PM SSN DOB CVV CVC".split()
) - {"SIM"}
_SAID_AS_WORDS = {"OK": "okay", "ASAP": "A S A P", "PIN": "pin", "SIM": "sim", "WIFI": "wi fi"}

_OPENING = "\"'([{<“‘«*_~`¿¡#"
_CLOSING = "\"')]}>”’»*_~`"
_NUMBER = r"\d[\d,]*(?:\.\d+)?"
_HALF_DAY = re.compile(r"[ap]\.?m\.?", re.I)


@dataclass(frozen=True)
class _Place:
    """One written word between its neighbours; `core` is without the punctuation around it."""

    core: str
    before: tuple[str, ...]
    after: str
    """The next word's core, or an empty string."""

    @property
    def previous(self) -> str:
        return self.before[-1].lower() if self.before else ""

    def names_an_identifier(self, within: int = 3) -> bool:
        """Whether a word such as "number" or "code" stands shortly before."""
        return any(word.lower().rstrip("s") in _IDENTIFIERS for word in self.before[-within:])


def spoken(text: str) -> list[SpokenWord]:
    """Each written word of `text` (as `text.split()` gives them) with what is said for it.

    A written word of which nothing is said (an emoji, a bullet) has no spoken words.
    """
    written = text.split()
    stripped = [_strip(word[:_LONGEST_WORD]) for word in written]
    cores = tuple(core for core, _ in stripped)
    result: list[SpokenWord] = []
    for index, (core, pause) in enumerate(stripped):
        last = index + 1 == len(written)
        before = _same_clause(stripped[:index])
        words = _say(_Place(core, before, "" if last else cores[index + 1]))
        if pause == "." and not last and _is_abbreviation(core) and not _names_a_letter(before):
            pause = ""
        result.append((written[index], (*words, *([pause] if pause and words else []))))
    return result


def pieces(words: Sequence[SpokenWord], *, fast_start: bool, longest: int = 14) -> list[list[SpokenWord]]:
    """Cut a text where a voice may breathe: after a pause, and never later than `longest` written words.

    With `fast_start` the first piece is the first clause or the first four words, so that sound begins
    soon; the rest goes on as long as it can.
    """
    cut: list[list[SpokenWord]] = []
    piece: list[SpokenWord] = []
    for word in words:
        piece.append(word)
        limit = 4 if fast_start and not cut else longest
        ends_clause = bool(word[1]) and word[1][-1] in PAUSES
        if (ends_clause and (len(piece) >= 6 or word[1][-1] != "," or limit == 4)) or len(piece) >= limit:
            cut.append(piece)
            piece = []
    if piece:
        if cut and not any(said for _, said in piece):
            cut[-1] += piece
        else:
            cut.append(piece)
    return cut


def _same_clause(stripped: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The cores back to the last full stop."""
    clause: list[str] = []
    for core, pause in reversed(stripped[-5:]):
        if pause and pause in ".?!" and not _is_abbreviation(core):
            break
        clause.append(core)
    return tuple(reversed(clause))


def _strip(word: str) -> tuple[str, str]:
    """The core of a written word and the pause after it."""
    word = "".join(unicodedata.normalize("NFKC", c) if c.isdigit() and not c.isdecimal() else c for c in word)
    core = word.lstrip(_OPENING) if len(word.strip(_OPENING)) else word
    if word.startswith("#") and core[:1].isdecimal():
        core = f"#{core}"
    end = len(core)
    while end and core[end - 1] in _CLOSING + ".,;:?!…":
        end -= 1
    tail, core = core[end:], core[:end]
    if core[-1:].isdecimal() and tail.startswith('"'):
        core, tail = f'{core}"', tail[1:]
    if not core:
        return ("", ".") if set(word) <= set(".…") else (word if word in _SYMBOLS else "", "")
    return core, next((mark for mark in ("?", "!") if mark in tail), _quiet_pause(tail))


def _quiet_pause(tail: str) -> str:
    if "." in tail or "…" in tail:
        return "."
    return "," if any(mark in tail for mark in ",;:") else ""


def _is_abbreviation(core: str) -> bool:
    key = core.lower()
    return bool(
        re.fullmatch(r"(?:[a-z]\.)+[a-z]", key)
        or key in _ABBREVIATIONS
        or key in _MONTH_SHORT
        or key in _DAY_SHORT
        or key in ("dr", "st", "no")
        or (len(core) == 1 and core.isupper() and core != "I")
    )


def _names_a_letter(before: Sequence[str]) -> bool:
    """Whether "A" after these words is the letter: "option A"."""
    return bool(before) and before[-1].lower() in _LETTER_NOUNS


def _say(place: _Place) -> list[str]:
    if not place.core:
        return []
    for pattern, say in _RULES:
        if match := pattern.fullmatch(place.core):
            words = say(match, place)
            if words is not None:
                return words
    return _plain(place.core)


# One rule per written form, tried from the top; a rule that does not apply here answers None.


def _email(match: re.Match[str], _: _Place) -> list[str]:
    return [*_address(match["local"]), "at", *_address(match["domain"])]


def _url(match: re.Match[str], _: _Place) -> list[str]:
    return _address(re.sub(r"^https?://", "", match[0], flags=re.I).rstrip("/"))


def _domain(match: re.Match[str], _: _Place) -> list[str]:
    return _address(match[0].rstrip("/"))


def _address(text: str) -> list[str]:
    names = {".": "dot", "-": "dash", "_": "underscore", "/": "slash", "+": "plus", ":": "colon",
             "@": "at", "=": "equals", "?": "question mark", "&": "and", "#": "hash", "%": "percent",
             "~": "tilde"}  # fmt: skip
    words: list[str] = []
    for run in re.findall(r"[^\W\d_]+|\d+|[\W_]", text):
        if run.isdecimal():
            words += _digits(run)
        elif run in names:
            words += names[run].split()
        elif run.isalpha():
            words += _letters(run) if len(run) < 3 or not _pronounceable(run) else _plain(run.lower())
    return words


def _fraction(match: re.Match[str], _: _Place) -> list[str] | None:
    return _FRACTIONS[match[0]].split() if match[0] in _FRACTIONS else None


def _money(match: re.Match[str], place: _Place) -> list[str]:
    one, many, cent, cents = _COINS[match["coin"]]
    whole, minor = int(match["whole"].replace(",", "")), match["minor"] or ""
    sign = ["minus"] if match["sign"] else []
    scale = _SCALES.get((match["scale"] or "").lower())
    if scale or place.after.lower() in _SCALE_WORDS:
        number = _decimal(f"{whole}{'.' + minor if minor else ''}")
        return [*sign, *number, *([scale, many] if scale else [])]
    if len(minor) not in (0, 2):
        return [*sign, *_decimal(f"{whole}.{minor}"), many]
    coins = int(minor or 0)
    major_said = [*_cardinal(whole), one if whole == 1 else many] if whole or not coins else []
    minor_said = [*_cardinal(coins), cent if coins == 1 else cents] if coins else []
    joint = ["and"] if major_said and minor_said else []
    return [*sign, *major_said, *joint, *minor_said]


def _iso_date(match: re.Match[str], _: _Place) -> list[str] | None:
    date = _date(int(match["month"]), int(match["day"]), int(match["year"]))
    if date is None or not match["time"]:
        return date
    return [*date, "at", *_clock(int(match["hour"]), int(match["minute"]), "", alone=True)]


def _us_date(match: re.Match[str], _: _Place) -> list[str] | None:
    year = int(match["year"])
    return _date(int(match["month"]), int(match["day"]), year + 2000 if year < 100 else year)


def _date(month: int, day: int, year: int) -> list[str] | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return [_MONTHS[month - 1], *_ordinal(day), *_year(year)]


def _time(match: re.Match[str], place: _Place) -> list[str] | None:
    hour, minute, half = int(match["hour"]), int(match["minute"] or 0), match["half"] or ""
    if hour > 24 or minute > 59 or (match["minute"] is None and not half):
        return None
    named = bool(_HALF_DAY.fullmatch(place.after)) or place.after.lower() in ("o'clock", "o’clock")
    return _clock(hour, minute, half, alone=not named)


def _clock(hour: int, minute: int, half: str, *, alone: bool) -> list[str]:
    """`alone`: no "am" or "pm" follows as a word of its own."""
    half = half.lower().replace(".", "")
    if not half and alone and (hour > 12 or hour == 0):
        half = "am" if hour in (0, 24) else "pm"
    words = _cardinal(hour % 12 or 12)
    if minute:
        words += ["oh", *_cardinal(minute)] if minute < 10 else _cardinal(minute)
    elif not half and alone:
        words.append("o'clock")
    return words + _letters(half)


def _half_day(match: re.Match[str], place: _Place) -> list[str] | None:
    after_a_time = bool(re.fullmatch(r"\d{1,2}(:\d\d)?", place.previous))
    dotted_or_pm = "." in match[0] or match[0].lower() == "pm"
    return _letters(match[0].replace(".", "")) if after_a_time or dotted_or_pm else None


def _ordinal_number(match: re.Match[str], _: _Place) -> list[str]:
    return _ordinal(int(match["number"].replace(",", "")))


def _measured(match: re.Match[str], _: _Place) -> list[str] | None:
    unit = _UNITS.get(match["unit"].lower())
    if unit is None or (match["unit"].isupper() and len(match["unit"]) == 1 and match["unit"] in "GM"):
        return None
    return [*_decimal(match["number"]), *unit[match["number"] not in ("1", "-1")].split()]


def _unit_alone(match: re.Match[str], place: _Place) -> list[str] | None:
    unit = _UNITS.get(match[0].lower())
    if unit is None or match[0].lower() in _NOT_ALONE or not re.fullmatch(rf"[-+]?{_NUMBER}", place.previous):
        return None
    return unit[place.previous != "1"].split()


def _range(match: re.Match[str], place: _Place) -> list[str] | None:
    left, right, dash = match["left"], match["right"], match["dash"]
    if dash == "-" and left.isdecimal() and right.isdecimal() and max(len(left), len(right)) > 2:
        return None
    if dash == "-" and place.names_an_identifier():
        return None
    start = _say(_Place(left, place.before, ""))
    end = _say(_Place(right, place.before, place.after))
    return [*[word for word in start if word != "o'clock"], "to", *end]


def _phone(match: re.Match[str], _: _Place) -> list[str]:
    words = ["plus"] if match[0].startswith("+") else []
    groups = re.findall(r"\d+", match[0])
    if len(groups) == 1:
        groups = _grouped(groups[0])
    for index, group in enumerate(groups):
        words += [*([","] if index else []), *_digits(group)]
    return words


def _area_code(match: re.Match[str], place: _Place) -> list[str] | None:
    digits = re.sub(r"\D", "", match[0])
    return [*_digits(digits), ","] if re.fullmatch(r"\d{3}[-.]\d{4}", place.after) else None


def _hash_number(match: re.Match[str], place: _Place) -> list[str]:
    named = place.names_an_identifier(within=1)
    return [*([] if named else ["number"]), *_identifier_digits(match["digits"])]


def _version(match: re.Match[str], _: _Place) -> list[str]:
    words: list[str] = []
    for index, part in enumerate(match[0].lstrip("vV").split(".")):
        words += [*(["point"] if index else []), *_cardinal(int(part))]
    return ["version", *words] if match[0][0] in "vV" else words


def _number(match: re.Match[str], place: _Place) -> list[str]:
    sign = {"-": ["minus"], "−": ["minus"], "+": ["plus"]}.get(match["sign"] or "", [])
    text = match["number"]
    if "," in text or "." in text or not text.isdecimal():
        return [*sign, *_decimal(text)]
    value = int(text)
    if _month(place.previous) and 1 <= value <= 31 and len(text) <= 2:
        return _ordinal(value)
    if _month(place.after) and 1 <= value <= 31 and len(text) <= 2:
        return _ordinal(value)
    if len(text) >= 5 or (text[0] == "0" and len(text) > 1):
        return [*sign, *_identifier_digits(text)]
    if len(text) >= 3 and (place.names_an_identifier() or place.previous == "ending"):
        return [*sign, *_digits(text)]
    if len(text) == 4 and 1100 <= value <= 2099 and value % 1000 and not sign:
        return _year(value)
    return [*sign, *_cardinal(value)]


def _abbreviation(match: re.Match[str], place: _Place) -> list[str] | None:
    key = match[0].lower().rstrip(".")
    follows_name = bool(place.before) and place.before[-1][:1].isupper()
    if key == "dr":
        return ["drive" if follows_name and not place.after[:1].isupper() else "doctor"]
    if key == "st":
        return ["street" if follows_name or re.fullmatch(r"\d+\w*", place.previous) else "saint"]
    if key == "no":
        return ["number"] if place.after[:1].isdecimal() else None
    if key in _NEEDS_DOT and not match[0][:1].isupper():
        return None
    if key in ("sun", "sat", "wed", "mar", "max") and not place.after[:1].isdecimal():
        return None
    if key in _MONTH_SHORT or key in _DAY_SHORT:
        return [_MONTH_SHORT.get(key) or _DAY_SHORT[key]] if match[0][:1].isupper() else None
    return _ABBREVIATIONS[key].split() if key in _ABBREVIATIONS else None


def _dotted_initials(match: re.Match[str], _: _Place) -> list[str]:
    return _letters(match[0].replace(".", ""))


def _scale_word(match: re.Match[str], place: _Place) -> list[str] | None:
    money = re.match(r"[-−]?([$€£])", place.previous)
    return [match[0].lower(), _COINS[money[1]][1]] if money else None


def _capitals(match: re.Match[str], place: _Place) -> list[str] | None:
    shouting = any(word.isupper() and len(word) > 2 for word in place.before)
    if match["letters"] in ("US", "IT", "AM") and shouting:
        return None
    return _initials(match["letters"], plural=bool(match["plural"]))


def _initials(letters: str, *, plural: bool = False) -> list[str] | None:
    """Capitals said letter by letter; None when they are a word written large."""
    if not plural and letters in _SAID_AS_WORDS:
        return _SAID_AS_WORDS[letters].split()
    word = is_known(letters.lower()) and re.search("[AEIOUY]", letters)
    if len(letters) > 5 or (word and letters not in _INITIALISMS):
        return None
    said = _letters(letters)
    return [*said[:-1], f"{said[-1]}'s"] if plural else said


def _single_letter(match: re.Match[str], place: _Place) -> list[str]:
    letter = match[0]
    if letter in "aAiI" and not _names_a_letter(place.before):
        return [letter.lower()]
    return [letter.upper()]


def _code(match: re.Match[str], place: _Place) -> list[str] | None:
    """Letters and digits mixed: an article number, "5G", "mp3"."""
    if not (re.search(r"\d", match[0]) and re.search(r"[^\W\d_]", match[0])):
        return None
    words: list[str] = []
    for part in re.split(r"[-_/.:]+", match[0]):
        words += [","] if words and not words[-1].islower() else []
        for run in re.findall(r"\d+|[^\W\d_]+", part):
            if run.isdecimal():
                words += _cardinal(int(run)) if len(run) < 3 and run[0] != "0" else _digits(run)
            else:
                words += _letters(run) if run.isupper() or not _is_word(run) else _plain(run)
    return words


def _long_digits(match: re.Match[str], _: _Place) -> list[str]:
    """Digits in groups, "12-3456-78": by digit, a pause at each mark."""
    words: list[str] = []
    for group in re.findall(r"\d+", match[0]):
        words += [*([","] if words else []), *_digits(group)]
    return words


def _slashed_numbers(match: re.Match[str], _: _Place) -> list[str]:
    return [*_cardinal(int(match[1])), "slash", *_cardinal(int(match[2]))]


def _symbol(match: re.Match[str], place: _Place) -> list[str] | None:
    if match[0] in "-*•#" and not (place.before or place.after[:1].isdecimal()):
        return []
    return _SYMBOLS[match[0]].split() if match[0] in _SYMBOLS else None


_Rule = Callable[[re.Match[str], _Place], "list[str] | None"]
_AMOUNT = r"[$€£]?\d[\d,]*(?:\.\d+)?(?::\d\d)?(?:[ap]\.?m)?"
_TLD = r"(?:com|org|net|io|co|uk|de|ai|dev|edu|gov|shop|store|info|eu|app|example)"
_RULES: tuple[tuple[re.Pattern[str], _Rule], ...] = tuple(
    (re.compile(pattern, re.I if ignore_case else 0), rule)
    for pattern, ignore_case, rule in (
        (r"(?:mailto:)?(?P<local>[\w.+%-]+)@(?P<domain>[\w-]+(?:\.[\w-]+)+)", True, _email),
        (r"(?:https?://|www\.)\S+", True, _url),
        (rf"[\w-]+(?:\.[\w-]+)*\.{_TLD}(?:/\S*)?", True, _domain),
        (r"\S{1,4}", False, _fraction),
        (
            r"(?P<sign>[-−]?)(?P<coin>[$€£])(?P<whole>\d[\d,]*)(?:\.(?P<minor>\d+))?(?P<scale>k|m|mn|b|bn)?",
            True,
            _money,
        ),
        (
            r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
            r"(?P<time>[T ](?P<hour>\d\d):(?P<minute>\d\d)\S*)?",
            False,
            _iso_date,
        ),
        (r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4}|\d\d)", False, _us_date),
        (r"(?P<hour>\d{1,2})(?::(?P<minute>\d\d)(?::\d\d)?)?(?P<half>[ap]\.?m\.?)?", True, _time),
        (r"[ap]\.?m", True, _half_day),
        (r"(?P<number>\d[\d,]*)(?:st|nd|rd|th)", True, _ordinal_number),
        (r"\+\d{7,15}|(?:\+?\d{1,3}[-. ])?\(?\d{3}\)?[-.]\d{3}[-.]\d{4}|\d{3}-\d{4}", False, _phone),
        (r"\(?\d{3}\)?", False, _area_code),
        (rf"(?P<number>[-+]?{_NUMBER})-?(?P<unit>[a-z]+|°[cf]?|[%€£\"])", True, _measured),
        (r"[a-z]+|[%€£]", True, _unit_alone),
        (rf"(?P<left>{_AMOUNT})(?P<dash>[-–—])(?P<right>{_AMOUNT}[%€£]?)", True, _range),
        (r"#(?P<digits>\d+)", False, _hash_number),
        (r"[vV]?\d+(?:\.\d+){2,}|[vV]\d+\.\d+", False, _version),
        (rf"(?P<sign>[-+−]?)(?P<number>{_NUMBER})", False, _number),
        (r"\d+(?:[-–]\d+)+", False, _long_digits),
        (r"(\d{1,4})/(\d{1,4})", False, _slashed_numbers),
        (r"[a-z]+(?:\.[a-z]+)*\.?|w/o?", True, _abbreviation),
        (r"(?:[a-z]\.)+[a-z]", True, _dotted_initials),
        (r"million|billion|thousand|trillion", True, _scale_word),
        (r"[a-z]", True, _single_letter),
        (r"(?P<letters>[A-Z]{2,})(?P<plural>['’]?s)?", False, _capitals),
        (r"[^\W_]+(?:[-_/.:][^\W_]+)*", False, _code),
        (r"\W", False, _symbol),
    )
)


def _plain(core: str) -> list[str]:
    """Ordinary words: hyphens, slashes and inner capitals part them, accents and marks fall away."""
    words: list[str] = []
    for part in re.findall(r"[^\W_]+(?:['’][^\W_]+)*['’]?|[&+@%=]", core):
        if part in _SYMBOLS:
            words += _SYMBOLS[part].split()
        elif part.isdecimal():
            words += _cardinal(int(part)) if len(part) < 4 else _digits(part)
        elif part.isupper() and part.isascii() and part.isalpha() and part != "I":
            words += _initials(part) or [part.lower()]
        else:
            words += _letters_of_word(part)
    return words


def _letters_of_word(part: str) -> list[str]:
    words: list[str] = []
    for word in _latin(part):
        for piece in re.findall(r"[A-Z]?[a-z']+|[A-Z]+(?![a-z])|[0-9]+", word):
            plain = piece.lower().strip("'")
            if plain.isdecimal():
                words += _digits(plain)
            elif len(plain) == 1 and plain not in ("a", "i"):
                words.append(plain.upper())
            elif piece.isupper() and 1 < len(piece) < 5 and piece != word and not is_known(plain):
                words += _letters(piece)
            elif plain:
                words.append(plain)
    return words


def _latin(word: str) -> Iterator[str]:
    """Accents dropped; letters of other scripts are said by their names, so that nothing is silent."""
    plain = unicodedata.normalize("NFKD", word.replace("’", "'").replace("ß", "ss").replace("ø", "o"))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    if plain.isascii():
        yield plain
        return
    for character in plain:
        if character.isascii():
            yield character
        elif re.search(" LETTER | DIGIT ", name := unicodedata.name(character, "")):
            yield re.sub("[^a-z]", "", name.rsplit(" ", 1)[1].lower())


def _is_word(run: str) -> bool:
    return len(run) > 2 and is_known(run.lower())


def _pronounceable(run: str) -> bool:
    return is_known(run.lower()) or bool(
        re.search("[aeiouy]", run.lower()) and not re.search("[^aeiouy]{4}", run.lower())
    )


def _month(word: str) -> bool:
    word = word.lower().rstrip(".")
    return word in _MONTHS or word in _MONTH_SHORT


def _cardinal(value: int) -> list[str]:
    if value >= 10**15:
        return _digits(str(value))
    return [word for word in re.findall(r"[a-z]+", num2words(value)) if word != "and"]


def _ordinal(value: int) -> list[str]:
    return [word for word in re.findall(r"[a-z]+", num2words(value, to="ordinal")) if word != "and"]


def _decimal(text: str) -> list[str]:
    sign = {"-": ["minus"], "+": ["plus"]}.get(text[0], [])
    whole, _, rest = text.lstrip("-+").replace(",", "").partition(".")
    return [*sign, *_cardinal(int(whole or 0)), *(["point", *_digits(rest)] if rest else [])]


def _year(value: int) -> list[str]:
    high, low = divmod(value, 100)
    if 2000 <= value <= 2009 or not 1000 < value < 10_000:
        return _cardinal(value)
    if low == 0:
        return [*_cardinal(high), "hundred"]
    return [*_cardinal(high), *(["oh"] if low < 10 else []), *_cardinal(low)]


def _digits(text: str) -> list[str]:
    names = "zero one two three four five six seven eight nine".split()
    return [names[int(digit)] for digit in text]


def _identifier_digits(text: str) -> list[str]:
    """By digit, with a pause between groups when there are more than six."""
    words: list[str] = []
    for group in _grouped(text):
        words += [*([","] if words else []), *_digits(group)]
    return words


def _grouped(digits: str) -> list[str]:
    """Groups of three, the last up to four: "1234567890" as 123, 456, 7890."""
    if len(digits) <= 6:
        return [digits]
    groups: list[str] = []
    while len(digits) > 4:
        groups.append(digits[:3])
        digits = digits[3:]
    return [*groups, digits] if digits else groups


def _letters(text: str) -> list[str]:
    said = [name for character in text for name in _latin(character)]
    return [name if len(name) > 1 else name.upper() for name in said if name.isalpha()]
