from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.speech import flite_lexicon, lexicon
from processors.speech.lexicon import VOWELS, phones, stressed
from processors.speech.pronunciation import PAUSES, pieces, spoken

SAID = {
    # plain words and pauses
    "Hello there.": "hello there .",
    "Well, yes; no: maybe!": "well , yes , no , maybe !",
    'She said "go" (now)?': "she said go now ?",
    "and/or": "and or",
    "he/she well-known": "he she well known",
    "It's Acme's café": "it's acme's cafe",
    "wait — what": "wait , what",
    "so...": "so .",
    "**Bold** and _soft_": "bold and soft",
    "- first point": "first point",
    "great 👍": "great",
    # whole numbers
    "7": "seven",
    "42 items": "forty two items",
    "300": "three hundred",
    "1,234": "one thousand two hundred thirty four",
    "-7": "minus seven",
    "3.14": "three point one four",
    "0.5": "zero point five",
    "1500 people": "fifteen hundred people",
    # identifiers
    "order 12345": "order one two three four five",
    "1234567890": "one two three , four five six , seven eight nine zero",
    "007": "zero zero seven",
    "card ending in 4242": "card ending in four two four two",
    "your code is 911.": "your code is nine one one .",
    "#123": "number one two three",
    "ticket #123": "ticket one two three",
    "RMA-00123": "R M A , zero zero one two three",
    "A12": "A twelve",
    "WH1000XM5": "W H one zero zero zero X M five",
    "12-3456": "one two , three four five six",
    # telephones
    "555-0100": "five five five , zero one zero zero",
    "+1-555-123-4567": "plus one , five five five , one two three , four five six seven",
    "(555) 123-4567": "five five five , one two three , four five six seven",
    # ordinals, fractions, percent, ranges
    "the 1st": "the first",
    "the 22nd": "the twenty second",
    "1/2 cup": "one half cup",
    "24/7": "twenty four seven",
    "12.5% off": "twelve point five percent off",
    "50 % off": "fifty percent off",
    "3-5 days": "three to five days",
    "3–5 days": "three to five days",
    # money
    "$5": "five dollars",
    "$1": "one dollar",
    "$5.20": "five dollars and twenty cents",
    "$0.99": "ninety nine cents",
    "$1,234.50": "one thousand two hundred thirty four dollars and fifty cents",
    "€20": "twenty euros",
    "20 €": "twenty euros",
    "£1.01": "one pound and one penny",
    "-$5": "minus five dollars",
    "$5 million": "five million dollars",
    "$3.5k": "three point five thousand dollars",
    # times
    "5:30": "five thirty",
    "9:00": "nine o'clock",
    "9:05 am": "nine oh five A M",
    "17:30": "five thirty P M",
    "9am-5pm": "nine A M to five P M",
    "12:15 p.m.": "twelve fifteen P M .",
    "I am 5": "i am five",
    # dates
    "2026-11-24": "november twenty fourth twenty twenty six",
    "2026-11-24T17:05:00Z": "november twenty fourth twenty twenty six at five oh five P M",
    "11/24/2026": "november twenty fourth twenty twenty six",
    "March 3, 2005": "march third , two thousand five",
    "3 March 1905": "third march nineteen oh five",
    "Jan. 1st": "january first",
    "in 1999": "in nineteen ninety nine",
    # units
    "5kg": "five kilograms",
    "1 kg": "one kilogram",
    "10 km": "ten kilometers",
    "20°C": "twenty degrees celsius",
    "256GB": "two hundred fifty six gigabytes",
    '27"': "twenty seven inches",
    "3x": "three times",
    # addresses on the net
    "jane.doe@example.com": "jane dot doe at example dot com",
    "jd42@mail-box.co.uk": "J D four two at mail dash box dot C O dot U K",
    "https://www.acme.com/returns/": "W W W dot acme dot com slash returns",
    "acme.com": "acme dot com",
    # abbreviations and initials
    "Dr. Smith, 3rd St.": "doctor smith , third street .",
    "Mr. Jones vs. Mrs. Jones": "mister jones versus missus jones",
    "i.e. this, e.g. that, etc.": "that is this , for example that , et cetera .",
    "no. 5 but no.": "number five but no .",
    "the USA": "the U S A",
    "FAQs": "F A Q's",
    "USB-C and Wi-Fi": "U S B C and wi fi",
    "a 5G iPhone": "a five G i phone",
    "R&D, C++": "R and D , C plus plus",
    "OK, ASAP": "okay , A S A P",
    "option A. And I": "option A . and i",
    "THE SHOP IS CLOSED": "the shop is closed",
    "version 1.2.3": "version one point two point three",
    # other scripts are said letter by letter
    "да": "de a",
}


@pytest.mark.parametrize(("written", "said"), SAID.items(), ids=SAID)
def test_written_words_are_said_as_people_say_them(written: str, said: str) -> None:
    result = spoken(written)
    assert " ".join(word for _, words in result for word in words) == said


@pytest.mark.parametrize("written", SAID)
def test_every_written_word_keeps_its_place(written: str) -> None:
    assert [word for word, _ in spoken(written)] == written.split()


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_at_all_has_a_spoken_form_that_a_voice_can_say(text: str) -> None:
    result = spoken(text)
    assert [word for word, _ in result] == text.split()
    for _, words in result:
        for word in words:
            assert word in PAUSES or phones(word), f"nothing is said for {word!r}"


def test_a_fast_start_takes_the_first_clause_or_four_words() -> None:
    cut = pieces(spoken("Your order was delivered yesterday, and it is still under warranty."), fast_start=True)
    assert [" ".join(written for written, _ in piece) for piece in cut] == [
        "Your order was delivered",
        "yesterday, and it is still under warranty.",
    ]
    cut = pieces(spoken("Sure, I can help."), fast_start=True)
    assert [written for written, _ in cut[0]] == ["Sure,"]


def test_pieces_lose_no_word_and_stay_short() -> None:
    text = "one " * 100 + "👍"
    cut = pieces(spoken(text), fast_start=True)
    assert [word for piece in cut for word in piece] == spoken(text)
    assert max(len(piece) for piece in cut) <= 15


@pytest.fixture
def no_flite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flite_lexicon, "phones", lambda word: None)
    phones.cache_clear()
    yield
    phones.cache_clear()


@pytest.mark.usefixtures("no_flite")
@pytest.mark.parametrize(
    ("word", "said"),
    {
        "hello": "HH AH0 L OW1",
        "order": "AO1 R D ER0",
        "money": "M AH1 N IY0",
        "delivery": "D IH0 L IH1 V ER0 IY0",
        "cancellation": "K AE0 N S AH0 L EY1 SH AH0 N",
        "return": "R IH0 T ER1 N",
        "A": "EY1",
        "Q's": "K Y UW1 Z",
        "acme's": "AE1 K M IY0 Z",
        "trackpads": "T R AE1 K P AE2 D Z",
        "rebooking": "R IY1 B UH0 K IH0 NG",
        "zorblax": "Z AO1 R B L AE0 K S",
        "brx": "B IY1 AA0 R EH0 K S",
    }.items(),
)
def test_words_have_phonemes_and_stress_without_flite(word: str, said: str) -> None:
    assert " ".join(phones(word)) == said


@pytest.mark.usefixtures("no_flite")
@settings(deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=14))
def test_an_unknown_word_is_never_silent(word: str) -> None:
    said = phones(word)
    assert said
    assert all(phone.rstrip("012") in VOWELS or phone.isalpha() for phone in said)


def test_stress_falls_once() -> None:
    for word in ("IH N F AH R M EY SH AH N", "AH G EH N", "T EH L AH F OW N", "S T"):
        marked = stressed(tuple(word.split()))
        assert sum(phone.endswith("1") for phone in marked) == (1 if word != "S T" else 0)


def test_flite_gives_the_stress_that_rules_cannot_know() -> None:
    if flite_lexicon.phones("hello") is None:
        pytest.skip("libflite1 is not installed")
    assert lexicon.phones("photography")[3] == "AA1"
    assert lexicon.phones("information") == ("IH2", "N", "F", "ER0", "M", "EY1", "SH", "AH0", "N")
