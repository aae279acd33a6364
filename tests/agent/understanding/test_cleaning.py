from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.understanding.cleaning import clean


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("<p>Hello <b>wor</b>ld</p><p>two</p>", "Hello world\ntwo"),
        ("a<br/>b", "a\nb"),
        ("<script>alert(1)</script>ok <order number> < 5", "ok <order number> < 5"),
        ("<div>Tom &amp; Jerry</div>", "Tom & Jerry"),
        ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
        ("<!-- hidden -->shown", "shown"),
        ("see <a href='https://example.com'>our page</a><style>p{}</style>", "see our page"),
        ("hi\u200b there\u202e", "hi there"),
        ("x\r\n\r\n  y", "x\ny"),
        ("a\u00a0\u00a0b\tc", "a b c"),
        ("  spaced   out  ", "spaced out"),
        ("e\u0301", "é"),
        ("\ud800abc", "abc"),
        ("bell\x07", "bell"),
        ("tag\U000e0041\U000e0042", "tag"),
        ("blank\u3164\u3164letter", "blank letter"),
        ("line\u2028break", "line\nbreak"),
        ("<br>", ""),
        ("", ""),
    ],
)
def test_what_is_not_text_is_removed(raw: str, wanted: str) -> None:
    assert clean(raw) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "a < b and I <3 you",
        "if x<y and y>z",
        "5 > 3",
        "<order number>",
        "Tom &amp; Jerry",
        "Where is my order 10007?",
        "Grüße, 你好, привет",
        "👨\u200d👩\u200d👧 हिन्दी",
        "می\u200cخواهم",
        "one\ntwo",
        "it's fine — really…",
    ],
)
def test_text_that_needs_nothing_is_unchanged(text: str) -> None:
    assert clean(text) == text


def test_what_lies_beyond_the_limit_is_cut() -> None:
    assert clean("a" * 10_000) == "a" * 4000
    assert clean("abc def", max_chars=3) == "abc"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300) | st.text(alphabet="<>/bpa &;!-\u200b\n\ud800", max_size=80))
def test_any_text_comes_out_clean(raw: str) -> None:
    text = clean(raw)
    assert unicodedata.is_normalized("NFC", text)
    assert text == text.strip() and "  " not in text and "\n\n" not in text
    text.encode("utf-8")


def test_full_width_forms_are_the_same_digits_and_letters() -> None:
    assert clean("ｆｏｏ＠ｅｘａｍｐｌｅ．ｃｏｍ　４１１１") == "foo@example.com 4111"
