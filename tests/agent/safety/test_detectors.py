from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.safety.detectors import find_personal, redact
from agent.understanding.spoken import from_speech as written

# text | kinds found, in order
TABLE = """
my email is Jane.Doe+x@Example.co.uk thanks|EMAIL
card 4111 1111 1111 1111|CARD
4111-1111-1111-1111 12/27|CARD
4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1|CARD
4111111111111111.|CARD
amex 3782 822463 10005|CARD
my card number is 4111 1111 1111 1112|CARD
call me at (212) 555-0199|PHONE
+44 20 7946 0958|PHONE
2125550199|PHONE
212.555.0199 please|PHONE
my phone is 555-123-4567|PHONE
my cell is 555-0199|PHONE
ssn 123-45-6789|SSN
my social is 123456789|SSN
IBAN DE89 3704 0044 0532 0130 00 please|IBAN
gb29nwbk60161331926819|IBAN
order 10007|
order number 12345678|
it cost 1,299.00 dollars on 2026-10-05|
May 5 2026 at 3:30|
10/05/2026 10:30 and 10007, 10008, 10009|
tracking 1Z999AA10123456784|
order 123-4567|
version 1.2.3.4|
12 Elm Street, Springfield 62704|
I paid $45.50 for 3 lamps and 2 kettles in 2024|
the code is 482913 and the invoice INV-2024-00017|
[EMAIL_1] and [PHONE_2]|
a@b|
Reach me on 2125550199 or j.smith@example.com|PHONE EMAIL
2125550199 4111111111111111|PHONE CARD
serial 9876543210987|
ISBN 978-3-16-148410-0|
from 9 to 5, 7 days, 24 hours, 365 days|
0000000000000000|
"""
CASES = [tuple(line.rsplit("|", 1)) for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("text", "wanted"), CASES)
def test_personal_data_is_found_and_nothing_else(text: str, wanted: str) -> None:
    found = find_personal(text)
    assert " ".join(p.kind for p in found) == wanted
    assert all(text[p.start : p.end] == p.value for p in found if p.kind != "PHONE")


@pytest.mark.parametrize(
    ("said", "region", "written"),
    [
        ("2125550199", "US", "(212) 555-0199"),
        ("+1 212.555.0199", "US", "(212) 555-0199"),
        ("+1 212 555 0199", "GB", "+1 212-555-0199"),
        ("020 7946 0958", "GB", "020 7946 0958"),
    ],
)
def test_a_telephone_number_has_one_form_however_it_is_written(said: str, region: str, written: str) -> None:
    assert [p.value for p in find_personal(f"call {said}", region=region)] == [written]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("4111 1111 1111 1111", "4111-1111-1111-1111"),
        ("Jane@Example.com", "jane@example.com"),
        ("(212) 555-0199", "+1 212 555 0199"),
        ("DE89 3704 0044 0532 0130 00", "de89370400440532013000"),
        ("my social is 123456789", "ssn 123-45-6789"),
    ],
)
def test_equal_data_has_an_equal_canonical_form(one: str, other: str) -> None:
    assert find_personal(one)[0].canonical == find_personal(other)[0].canonical


@pytest.mark.parametrize(
    ("spoken", "kind"),
    [
        ("my card is " + "four " + "one " * 15, "CARD"),
        ("it's two one two five five five oh one nine nine", "PHONE"),
        ("j dot smith at example dot com", "EMAIL"),
        ("my social is one two three four five six seven eight nine", "SSN"),
    ],
)
def test_spoken_personal_data_is_found_in_its_written_form(spoken: str, kind: str) -> None:
    assert [p.kind for p in find_personal(written(spoken))] == [kind]


def test_telephone_numbers_are_read_by_region() -> None:
    (found,) = find_personal("ruf mich an: 0151 23456789", region="DE")
    assert (found.kind, found.canonical) == ("PHONE", "+4915123456789")
    assert find_personal("Bestellung 30123456", region="DE") == []


def test_redaction_leaves_the_kind_only() -> None:
    text = "mail jane@example.com, card 4111 1111 1111 1111, call 212-555-0199 about order 10007"
    assert redact(text) == "mail [email], card [card], call [phone] about order 10007"


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                "4111 1111 4111111111111111 jane@example.com 212-555-0199 +44 - . card ssn DE89 10007".split()
            ),
            st.text(max_size=8),
        ),
        max_size=25,
    )
)
def test_redacted_text_holds_nothing_personal(words: list[str]) -> None:
    text = " ".join(words)
    found = find_personal(text)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(p.value not in redact(text) for p in found if p.kind in ("EMAIL", "CARD"))
