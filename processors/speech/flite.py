"""flite's voices by ctypes: robotic, and forty times faster than speech. Needs Debian's `libflite1`.

The streaming callback stands on the utterance, not on the voice, so one voice may speak in several
threads at a time. ctypes lets go of the interpreter lock while flite works.

    the caller's thread                 a thread of the utterance
    next(chunks)  <-- queue, bounded --  flite_do_synth -> callback per 60 ms of sound
    close / stop  -- flag ------------>  callback answers "stop"
"""

from __future__ import annotations

import contextlib
import ctypes
import queue
import threading
from collections.abc import Generator, Iterator
from ctypes import CDLL, CFUNCTYPE, POINTER, RTLD_GLOBAL, Structure, c_char_p, c_float, c_int, c_short, c_void_p
from functools import cache
from typing import Any, Literal, get_args

import numpy as np

from processors.speech.pronunciation import PAUSES, SpokenWord, pieces, spoken
from processors.speech.voice import AUDIBLE, Chunk, Samples, WordTime

FliteName = Literal["slt", "rms", "awb", "kal16"]

_MIN_SAMPLES = 960
_LEAD_SECS = 0.02
_TAIL_SECS = 0.15
_QUEUED_CHUNKS = 50
_GO_ON, _STOP = 0, 1
_END = b"R:Token.daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end"
_START = b"R:Token.daughter1.R:SylStructure.daughter1.daughter1.R:Segment.p.end"


class FliteUnavailable(RuntimeError):
    """flite's library is not installed; the message says how to install it."""


class _Wave(Structure):
    _fields_ = (
        ("type", c_char_p),
        ("rate_hz", c_int),
        ("count", c_int),
        ("channels", c_int),
        ("samples", POINTER(c_short)),
    )


_Callback = CFUNCTYPE(c_int, POINTER(_Wave), c_int, c_int, c_int, c_void_p)


class _Streaming(Structure):
    _fields_ = (
        ("min_buffer", c_int),
        ("callback", _Callback),
        ("userdata", c_void_p),
        ("utterance", c_void_p),
        ("item", c_void_p),
    )


class Flite:
    """One of flite's voices: 16 kHz. `rms` is the clearest; `kal16` is the same to the bit every time."""

    rate_hz = 16_000

    def __init__(self, voice: FliteName = "slt") -> None:
        """Loads the library (10 ms); raises FliteUnavailable."""
        self.name: str = voice
        self._library = _library()
        self._voice = _register(voice)

    def synthesise(
        self, text: str, *, fast_start: bool = True, stop: threading.Event | None = None
    ) -> Generator[Chunk, None, None]:
        """Speech for `text` in chunks of about 60 ms, the first after some 20 ms (with or without `fast_start`).

        Leading silence is trimmed. The first chunk of each sentence carries the times of all its words.
        Ends in the middle of a word when `stop` is set or the iterator is closed.
        """
        for piece in pieces(spoken(text), fast_start=False, longest=40):
            if any(word not in PAUSES for _, words in piece for word in words):
                yield from self._sentence(piece, stop or threading.Event())
            if stop is not None and stop.is_set():
                return

    def _sentence(self, piece: list[SpokenWord], stop: threading.Event) -> Iterator[Chunk]:
        utterance = _Utterance(self._library, self._voice, piece, stop)
        worker = threading.Thread(target=utterance.run, name=f"flite-{self.name}", daemon=True)
        worker.start()
        try:
            yield from utterance.chunks()
        finally:
            utterance.abandoned.set()
            worker.join()


class _Utterance:
    """One synthesis: the callback side fills a bounded queue, the other side trims and hands out."""

    def __init__(self, library: CDLL, voice: int, piece: list[SpokenWord], stop: threading.Event) -> None:
        self.abandoned = threading.Event()
        self._library, self._voice, self._piece, self._stop = library, voice, piece, stop
        self._queue: queue.Queue[Samples | None] = queue.Queue(_QUEUED_CHUNKS)
        self._times: list[tuple[float, float]] = []
        self._text, self._tokens_per_word = _flite_text(piece)

    def run(self) -> None:
        """Synthesise; in the utterance's own thread."""
        flite = self._library
        utterance = flite.new_utterance()
        started = False

        def on_audio(wave: Any, start: int, size: int, last: int, _: Any) -> int:
            nonlocal started
            if not started:
                started = True
                self._times = _token_times(flite, utterance)
            samples = np.ctypeslib.as_array(wave.contents.samples, (wave.contents.count,))
            return _GO_ON if self._put(samples[start : start + size].copy()) else _STOP

        callback = _Callback(on_audio)
        streaming = flite.new_audio_streaming_info()
        streaming.contents.min_buffer = _MIN_SAMPLES
        streaming.contents.callback = callback
        features = ctypes.cast(utterance, POINTER(c_void_p))[0]
        try:
            value = flite.audio_streaming_info_val(ctypes.cast(streaming, c_void_p))
            flite.feat_set(features, b"streaming_info", value)
            flite.feat_set_string(features, b"input_text", self._text.encode("ascii", "ignore"))
            flite.flite_do_synth(utterance, self._voice, ctypes.cast(flite.utt_synth, c_void_p))
        finally:
            flite.delete_utterance(utterance)
            self._put(None)

    def _put(self, samples: Samples | None) -> bool:
        """False when nobody wants more."""
        while not (self.abandoned.is_set() or self._stop.is_set()):
            try:
                self._queue.put(samples, timeout=0.05)
                return True
            except queue.Full:
                continue
        if samples is None:
            self._end_at_once()
        return False

    def _end_at_once(self) -> None:
        """Drop what is queued, so that the end has room."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        self._queue.put_nowait(None)

    def chunks(self) -> Iterator[Chunk]:
        """Chunks without the silence before and (beyond a short pause) after the words."""
        trimmed_before = 0
        begun = False
        held: Samples = np.zeros(0, np.int16)
        while (samples := self._queue.get()) is not None:
            held = np.concatenate([held, samples])
            loud = np.flatnonzero(np.abs(held.astype(np.int32)) > AUDIBLE)
            if not len(loud):
                continue
            words: tuple[WordTime, ...] = ()
            if not begun:
                begun = True
                trimmed_before = max(0, int(loud[0]) - int(_LEAD_SECS * Flite.rate_hz))
                held, loud = held[trimmed_before:], loud - trimmed_before
                words = self._words(trimmed_before / Flite.rate_hz)
            said = int(loud[-1]) + 1
            yield Chunk(held[:said].tobytes(), Flite.rate_hz, words)
            held = held[said:]
        if begun and not (self._stop.is_set() or self.abandoned.is_set()):
            yield Chunk(held[: int(_TAIL_SECS * Flite.rate_hz)].tobytes(), Flite.rate_hz)

    def _words(self, offset: float) -> tuple[WordTime, ...]:
        """Times of the written words, from flite's own segments."""
        times: list[WordTime] = []
        token = 0
        at = 0.0
        for (written, _), count in zip(self._piece, self._tokens_per_word, strict=True):
            mine = self._times[token : token + count]
            token += count
            start, end = (mine[0][0] - offset, mine[-1][1] - offset) if mine else (at, at)
            start = max(start, at)
            at = max(end, start)
            times.append(WordTime(written, start, at))
        return tuple(times)


def _flite_text(piece: list[SpokenWord]) -> tuple[str, list[int]]:
    """The text for flite, one token per spoken word, and how many tokens each written word has."""
    tokens: list[str] = []
    counts: list[int] = []
    for _, words in piece:
        before = len(tokens)
        for word in words:
            if word in PAUSES:
                if tokens:
                    tokens[-1] = tokens[-1].rstrip(",.?!") + word
            else:
                tokens.append(_token(word))
        counts.append(len(tokens) - before)
    return " ".join(tokens), counts


def _token(word: str) -> str:
    """A capital is a letter's name; "A" alone would be read as the article."""
    if word[:1].isupper():
        return "ay" if word == "A" else word.lower()
    return word


def _token_times(flite: CDLL, utterance: int) -> list[tuple[float, float]]:
    """(start, end) of each token in seconds, known before the first sample is made."""
    times: list[tuple[float, float]] = []
    item = flite.relation_head(flite.utt_relation(utterance, b"Token"))
    while item:
        times.append((flite.ffeature_float(item, _START), flite.ffeature_float(item, _END)))
        item = flite.item_next(item)
    return times


@cache
def _library() -> CDLL:
    try:
        flite = CDLL("libflite.so.1", mode=RTLD_GLOBAL)
        CDLL("libflite_usenglish.so.1", mode=RTLD_GLOBAL)
        CDLL("libflite_cmulex.so.1", mode=RTLD_GLOBAL)
    except OSError as missing:
        raise FliteUnavailable(
            "flite is not installed; run: apt-get install -y --no-install-recommends libflite1"
        ) from missing
    flite.flite_init()
    for name, result, arguments in (
        ("new_audio_streaming_info", POINTER(_Streaming), []),
        ("audio_streaming_info_val", c_void_p, [c_void_p]),
        ("new_utterance", c_void_p, []),
        ("delete_utterance", None, [c_void_p]),
        ("feat_set", None, [c_void_p, c_char_p, c_void_p]),
        ("feat_set_string", None, [c_void_p, c_char_p, c_char_p]),
        ("flite_do_synth", c_void_p, [c_void_p, c_void_p, c_void_p]),
        ("utt_relation", c_void_p, [c_void_p, c_char_p]),
        ("relation_head", c_void_p, [c_void_p]),
        ("item_next", c_void_p, [c_void_p]),
        ("ffeature_float", c_float, [c_void_p, c_char_p]),
    ):
        function = getattr(flite, name)
        function.restype, function.argtypes = result, arguments
    return flite


@cache
def _register(voice: FliteName) -> int:
    if voice not in get_args(FliteName):
        raise ValueError(f"flite has no voice {voice!r}; it has {', '.join(get_args(FliteName))}")
    try:
        library = CDLL(f"libflite_cmu_us_{voice}.so.1")
    except OSError as missing:
        raise FliteUnavailable(
            f"flite's voice {voice} is not installed; run: apt-get install -y --no-install-recommends libflite1"
        ) from missing
    register = getattr(library, f"register_cmu_us_{voice}")
    register.restype, register.argtypes = c_void_p, [c_char_p]
    return int(register(None))
