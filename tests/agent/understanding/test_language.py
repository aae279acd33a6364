from __future__ import annotations

import subprocess
import sys

import pytest

from agent.phrases import known_languages, not_served
from agent.understanding.language import detect, unserved

LANGUAGES = ["en", "de", "es", "fr", "ru"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("wo ist meine Bestellung geblieben", "de"),
        ("¿dónde está mi pedido?", "es"),
        ("je voudrais retourner un article", "fr"),
        ("where is my order please", "en"),
        ("привет", "ru"),
    ],
)
def test_a_turn_is_in_one_of_the_configured_languages(text: str, language: str) -> None:
    assert detect(text, LANGUAGES, "en") == language


@pytest.mark.parametrize("text", ["ok", "no", "10007", "[EMAIL_1]", "jane@example.com", "", "!!!"])
def test_a_short_turn_keeps_the_conversations_language(text: str) -> None:
    assert detect(text, LANGUAGES, "de") == "de"


def test_a_language_that_is_not_configured_is_never_given() -> None:
    assert detect("dove si trova il mio ordine per favore", ["en", "de"], "it") in ("en", "de")


def test_one_language_loads_no_model() -> None:
    code = (
        "import sys; from agent.understanding.language import detect;"
        "print(detect('wo ist mein Paket', ['en'], 'en'), 'py3langid' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["en", "False"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("hola, mi paquete no ha llegado", "es"),
        ("quel est le prix de la livraison", "fr"),
        ("ich möchte meine adresse ändern", "de"),
        ("nie dostałem mojej paczki", "pl"),
        ("أين طلبي من فضلك ساعدني", "ar"),
        ("我想取消我的订单", "zh"),
        ("posso pagar com cartão de crédito", "pt"),
    ],
)
def test_a_language_that_is_not_served_is_named_when_it_is_plain(text: str, language: str) -> None:
    assert unserved(text, ["en"]) == language
    assert unserved(text, ["en", language]) is None


@pytest.mark.parametrize(
    "text",
    [
        "where is my order please",
        "am I all paid up",
        "no no no no",
        "pls gimme refund asap bro",
        "my name is Juan Carlos Hernandez Garcia",
        "send it to Rue de la Paix Paris",
        "Anna Schmidt, Hauptstraße 5, 10115 Berlin Mitte",
        "hola amigo gracias",
        "[EMAIL_1] jane@example.com 10007 https://example.es/mi-pedido",
        "",
    ],
)
def test_names_addresses_and_short_turns_are_no_other_language(text: str) -> None:
    assert unserved(text, ["en"]) is None


def test_every_language_that_can_be_named_has_a_sentence_and_a_name() -> None:
    for code in known_languages():
        said = not_served(code, ["en", "de"])
        assert "English, Deutsch" in said and "{" not in said


def test_a_language_without_a_sentence_is_answered_in_the_businesss_own() -> None:
    assert not_served("eu", ["de"]) == "Es tut mir leid, hier kann ich Ihnen nur in diesen Sprachen helfen: Deutsch."
    assert not_served("eu", ["xx"]) == "I'm sorry, I can only help you in xx here."
