from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from processors.speech import flite
from processors.speech.flite import Flite, FliteUnavailable
from processors.speech.piper import Piper
from processors.speech.voice import AUDIBLE, Chunk, Voice
from processors.speech.whisper import Whisper
from tests.processors.speech.sounds import likeness, say

TEXT = "Your order 12345 was delivered on Tuesday, and it cost $5.20. Can I help you with anything else?"
AGENT_SENTENCES = (
    "Your order was delivered on Tuesday.",
    "I can send you a confirmation by email.",
    "You can return it within thirty days.",
    "Would you like to speak to a human?",
)


@pytest.fixture(params=["joe", "rms", "slt", "awb", "kal16"])
def voice(request: pytest.FixtureRequest, piper: Piper) -> Voice:
    if request.param == "joe":
        return piper
    try:
        return Flite(request.param)
    except FliteUnavailable as missing:
        pytest.skip(str(missing))


def samples(chunk: Chunk) -> np.ndarray:
    return np.frombuffer(chunk.pcm, np.int16)


def test_every_written_word_has_a_time_in_order_and_within_the_sound(voice: Voice) -> None:
    chunks = list(voice.synthesise(TEXT))
    total = sum(chunk.secs for chunk in chunks)
    times: list[tuple[str, float, float]] = []
    position = 0.0
    for chunk in chunks:
        times += [(w.word, position + w.start_secs, position + w.end_secs) for w in chunk.words]
        position += chunk.secs
    assert [word for word, _, _ in times] == TEXT.split()
    assert all(start <= end for _, start, end in times)
    assert all(before[2] <= after[2] for before, after in itertools.pairwise(times))
    assert 0 < times[-1][2] <= total + 0.001


def test_a_number_takes_the_time_of_all_its_spoken_words(voice: Voice) -> None:
    times = {w.word: w.end_secs - w.start_secs for chunk in voice.synthesise("is 12345 now") for w in chunk.words}
    assert times["12345"] > 3 * times["is"]


def test_speech_begins_at_once_and_is_loud_enough(voice: Voice) -> None:
    first = next(iter(voice.synthesise(TEXT)))
    begin = int(0.03 * first.rate_hz)
    assert np.abs(samples(first)[:begin].astype(int)).max() > AUDIBLE
    whole = np.concatenate([samples(chunk) for chunk in voice.synthesise(TEXT)])
    assert 5000 < np.abs(whole.astype(int)).max() <= 32767


@pytest.mark.parametrize("text", ["", "   ", "👍", "...", "—"])
def test_a_text_without_words_is_silent_and_no_fault(voice: Voice, text: str) -> None:
    assert list(voice.synthesise(text)) == []


def test_stop_ends_it_after_the_piece_in_work(voice: Voice) -> None:
    stop = threading.Event()
    whole = sum(chunk.secs for chunk in voice.synthesise(TEXT))
    said = 0.0
    for chunk in voice.synthesise(TEXT, stop=stop):
        said += chunk.secs
        stop.set()
    assert said < whole / 2


def test_piper_is_understood_by_a_listener(piper: Piper, whisper: Whisper) -> None:
    heard = [whisper.transcribe(say(piper, sentence, 16_000), 16_000).text for sentence in AGENT_SENTENCES]
    alike = [likeness(text, said) for text, said in zip(heard, AGENT_SENTENCES, strict=True)]
    assert sum(alike) / len(alike) >= 0.75, heard


def test_a_fast_start_makes_the_first_chunk_small(piper: Piper) -> None:
    sentence = "The package that you ordered last week is on its way to you now."
    slow, fast = (next(iter(piper.synthesise(sentence, fast_start=start))).secs for start in (False, True))
    assert fast < slow / 2


def test_flite_voices_speak_in_many_threads_at_a_time() -> None:
    try:
        kal = Flite("kal16")
    except FliteUnavailable as missing:
        pytest.skip(str(missing))
    spoken: list[bytes] = []

    def speak() -> None:
        spoken.append(b"".join(chunk.pcm for chunk in kal.synthesise("Order number four, please.")))

    threads = [threading.Thread(target=speak) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(spoken) == 6
    assert len(set(spoken)) == 1


def test_an_iterator_left_early_frees_its_thread(rms: Flite) -> None:
    before = threading.active_count()
    speech = rms.synthesise(TEXT * 5)
    next(speech)
    speech.close()
    assert threading.active_count() == before


def test_missing_flite_names_the_debian_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str, *_: Any, **__: Any) -> Callable[..., Any]:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(flite, "CDLL", absent)
    monkeypatch.setattr(flite, "_library", flite._library.__wrapped__)
    with pytest.raises(FliteUnavailable, match=r"apt-get install .*libflite1"):
        Flite("slt")
