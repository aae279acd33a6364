from __future__ import annotations

import subprocess
import sys

import pytest

from agent.understanding.language import detect

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
