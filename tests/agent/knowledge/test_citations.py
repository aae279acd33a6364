"""Citations are checked against the passages that were given, however the stream is cut."""

from __future__ import annotations

import pytest

from agent.knowledge.citations import Citations


def said(text: str, size: int) -> str:
    citations = Citations(["Gift cards", "Shipping"])
    pieces = [citations.feed(text[start : start + size]) for start in range(0, len(text), size)]
    return "".join([*pieces, citations.end()])


@pytest.mark.parametrize("size", [1, 2, 7, 500])
@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("They never expire. [Source: Gift cards]", "They never expire. [Source: Gift cards]"),
        ("They never expire. [source:  gift  CARDS]", "They never expire. [Source: Gift cards]"),
        ("Two days [Source: FedEx terms] as a rule.", "Two days as a rule."),
        ("One. [Source: Shipping] [Source: Nowhere] Two.", "One. [Source: Shipping] Two."),
        ("See [this] and [Sour", "See [this] and [Sour"),
        ("- a\n- b\n\nEnd ", "- a\n- b\n\nEnd "),
    ],
)
def test_an_invented_source_goes_and_a_true_one_stays_as_the_page_is_called(size: int, written: str, kept: str) -> None:
    assert said(written, size) == kept


def test_words_do_not_wait_for_brackets_that_are_no_citation() -> None:
    assert Citations([]).feed("Choose [a] or [b") == "Choose [a] or [b"
