from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processors.speech.flite import Flite
from processors.speech.piper import Piper
from processors.speech.whisper import MAX_AUDIO_SECS, Whisper, without_repeated_beginning
from tests.processors.speech.sounds import likeness, not_speech, say, through_mu_law, words

CALLS = (
    "Where is my order?",
    "I would like to return the blue kettle.",
    "What are your opening hours?",
    "My package never arrived and I am quite upset.",
)
RATES = pytest.mark.parametrize("rate_hz", [16_000, 8_000])


@RATES
@pytest.mark.parametrize("voice", ["piper", "rms"])
def test_a_strangers_sentences_are_heard(
    voice: str, rate_hz: int, whisper: Whisper, request: pytest.FixtureRequest
) -> None:
    speaker: Piper | Flite = request.getfixturevalue(voice)
    heard = [whisper.transcribe(say(speaker, said, rate_hz), rate_hz) for said in CALLS]
    alike = [likeness(it.text, said) for it, said in zip(heard, CALLS, strict=True)]
    assert sum(alike) / len(alike) >= 0.75, [it.text for it in heard]
    assert all(0.2 < it.confidence <= 1 and it.no_speech < 0.6 for it in heard if it.text)
    assert all(it.audio_secs > 0.5 and it.decode_secs > 0 for it in heard)


@RATES
def test_digits_are_heard_while_a_number_is_awaited(rate_hz: int, whisper: Whisper, rms: Flite) -> None:
    heard = whisper.transcribe(say(rms, "My order number is 1 0 0 2 3.", rate_hz), rate_hz, numbers=True)
    digits = "".join(character for character in heard.text if character.isdigit())
    assert digits == "10023", heard.text


@RATES
@pytest.mark.parametrize("vocabulary", [(), ("Acme", "kettle", "refund", "return")], ids=["bare", "prompted"])
def test_what_is_no_speech_gives_no_words(vocabulary: tuple[str, ...], rate_hz: int, whisper: Whisper) -> None:
    ear = whisper.with_vocabulary(vocabulary)
    for name, sound in not_speech(rate_hz):
        heard = ear.transcribe(through_mu_law(sound) if rate_hz == 8000 else sound, rate_hz)
        assert heard.text == "", f"{name} was heard as {heard.text!r}"
        assert heard.confidence == 0


def test_the_vocabulary_helps_with_names(whisper: Whisper, rms: Flite) -> None:
    sound = say(rms, "Does the Zorblax come with a warranty?", 16_000)
    plain = whisper.with_vocabulary([]).transcribe(sound, 16_000)
    primed = whisper.with_vocabulary(["Zorblax", "warranty"]).transcribe(sound, 16_000)
    assert "zorblax" not in words(plain.text)
    assert "zorblax" in words(primed.text)


def test_a_prompt_never_passes_a_hundred_tokens_and_keeps_the_first_words(whisper: Whisper) -> None:
    many = [f"product{number}" for number in range(200)]
    tokens = whisper._model.prompt_tokens(many, "what is the order number")
    text = whisper._model._tokens.decode(tokens)
    assert len(tokens) <= 100
    assert "product0" in text and "order number" in text


def test_a_long_recording_is_heard_to_its_end(whisper: Whisper, rms: Flite) -> None:
    silence = np.zeros(int(16_000 * MAX_AUDIO_SECS), np.int16)
    sound = np.concatenate([silence, say(rms, "I want to cancel my order.", 16_000)])
    assert likeness(whisper.transcribe(sound, 16_000).text, "I want to cancel my order.") > 0.7


def test_bytes_and_samples_are_the_same(whisper: Whisper, rms: Flite) -> None:
    sound = say(rms, "Yes please.", 16_000)
    assert whisper.transcribe(sound.tobytes(), 16_000).text == whisper.transcribe(sound, 16_000).text


@pytest.mark.parametrize("sound", [b"", b"\0", b"\0" * 200], ids=["empty", "half a sample", "a few samples"])
def test_hardly_any_audio_is_nothing(sound: bytes, whisper: Whisper) -> None:
    assert whisper.transcribe(sound, 8000).text == ""


def test_the_pool_says_when_it_is_busy(whisper: Whisper, rms: Flite) -> None:
    sound = say(rms, "Where is my order?", 16_000)
    decoded = [whisper.submit(sound, 16_000) for _ in range(4)]
    assert whisper.busy
    assert {future.result().text for future in decoded} == {decoded[0].result().text}
    assert not whisper.busy


def test_the_model_is_shared_by_all_businesses_of_a_process(whisper: Whisper, speech_cache: Path) -> None:
    other = Whisper.load("whisper-tiny", speech_cache, ["Library"], workers=2)
    assert other._model is whisper._model


@pytest.mark.parametrize(
    ("heard", "kept"),
    [
        ("Where is my order? Where is my order?", "Where is my order?"),
        ("Where is my order? Where is my order? Where is my", "Where is my order?"),
        ("I want it and I want", "I want it and I want"),
        ("no no", "no no"),
        ("one two one two", "one two one two"),
        ("12 34 12 34", "12 34 12 34"),
        ("thank you thank you thank you", "thank you"),
        ("", ""),
    ],
)
def test_a_repeated_beginning_is_cut_but_not_digits(heard: str, kept: str) -> None:
    assert without_repeated_beginning(heard) == kept
