"""Transcripts: what a recogniser without formatting makes of a typed text."""

from __future__ import annotations

import random
import re

import pytest

from lab.transcripts import as_transcript


@pytest.mark.parametrize(
    ("typed", "spoken"),
    [
        ("Where's my order?", "where's my order"),
        ("48 Cedar Avenue, Apt 4B", "forty eight cedar avenue apt four b"),
        ("(646) 555-0199", "six four six five five five 0 one nine nine"),
        ("it cost $12.50 in 2019", "it cost twelve dollars and fifty cents in twenty nineteen"),
        ("j.dot_b@my-shop.org", "j dot dot underscore b at my dash shop dot org"),
    ],
)
def test_numbers_addresses_and_marks_become_words(typed: str, spoken: str) -> None:
    said = {as_transcript(typed, random.Random(seed)) for seed in range(60)}
    plain = {re.sub(r"\b(?:um|uh) ", "", s) for s in said}
    undoubled = {re.sub(r"double (\w+)", r"\1 \1", s) for s in plain}
    zeros = {re.sub(r"\b(?:zero|oh)\b", "0", s) for s in undoubled}
    assert zeros == {spoken}


def test_zeros_doubles_and_fillers_differ_from_speaker_to_speaker() -> None:
    said = " ".join(as_transcript("Hello, it's 10007.", random.Random(seed)) for seed in range(60))
    assert {"oh", "zero", "double", "um", "uh"} <= set(said.split())
