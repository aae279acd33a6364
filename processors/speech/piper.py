"""The agent's voice: Piper's VITS model run by onnxruntime, with our own phonemes and exact word times.

Nothing of `piper-tts` or espeak-ng (both GPL) is used: the phonemes come from lexicon.py, written in the
IPA that the voice was trained on. The published graph computes how long each phoneme lasts but does not
give it away; that tensor is declared an output when the model is loaded, so word times are exact.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from processors.speech import weights
from processors.speech.lexicon import VOWELS, Phones, phones
from processors.speech.pronunciation import PAUSES, SpokenWord, pieces, spoken
from processors.speech.voice import Chunk, Samples, WordTime, audible_span

_HOP = 256
_DURATIONS = "/Ceil_output_0"
_BEGIN, _END, _PAD = "^", "$", "_"
_GAIN = 1.2 * 32767
_LEAD_SECS = 0.02
_TAIL_SECS = {"": 0.04, ",": 0.12, ".": 0.22, "?": 0.22, "!": 0.22}

_IPA = {
    "AA": "ɑː", "AE": "æ", "AH": "ʌ", "AO": "ɔː", "AW": "aʊ", "AY": "aɪ", "EH": "ɛ", "ER": "ɜː", "EY": "eɪ",
    "IH": "ɪ", "IY": "iː", "OW": "oʊ", "OY": "ɔɪ", "UH": "ʊ", "UW": "uː", "B": "b", "CH": "tʃ", "D": "d",
    "DH": "ð", "F": "f", "G": "ɡ", "HH": "h", "JH": "dʒ", "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ",
    "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "V": "v", "W": "w", "Y": "j", "Z": "z",
    "ZH": "ʒ",
}  # fmt: skip
_WEAK = {"AH": "ə", "ER": "ɚ", "IY": "i"}
_BEFORE_R = {"IY": "ɪ", "UW": "ʊ", "EY": "ɛ", "AE": "æ"}
_STRESS = {"1": "ˈ", "2": "ˌ", "0": ""}
_IN_PASSING = {
    "a": "ɐ", "an": "ɐn", "the": "ðə", "to": "tə", "of": "ʌv", "and": "ænd", "for": "fɔːɹ", "or": "ɔːɹ",
    "at": "æt", "as": "æz", "in": "ɪn", "is": "ɪz", "it": "ɪt", "on": "ɔn", "you": "juː", "your": "jʊɹ",
    "we": "wiː", "he": "hiː", "she": "ʃiː", "me": "miː", "be": "biː", "are": "ɑːɹ", "was": "wʌz",
    "were": "wɜː", "with": "wɪð", "from": "fɹʌm", "can": "kæn", "but": "bʌt", "i'm": "aɪm", "i": "aɪ",
}  # fmt: skip
"""Function words as they are said inside a sentence, without stress."""

_loaded: dict[tuple[int, float], Piper] = {}
_loading = threading.Lock()


class Piper:
    """Text in, speech out, clause by clause. One for the process; `synthesise` may run in several threads."""

    name = "joe"

    def __init__(self, model: bytes, config: dict[str, object], *, threads: int, slowness: float) -> None:
        """`model` is the ONNX file's content; use `Piper.load`."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            _with_durations(model), options, providers=["CPUExecutionProvider"]
        )
        self._ids: dict[str, int] = {mark: ids[0] for mark, ids in config["phoneme_id_map"].items()}  # type: ignore[attr-defined]
        inference: dict[str, float] = config["inference"]  # type: ignore[assignment]
        self._scales = np.array([inference["noise_scale"], slowness, inference["noise_w"]], np.float32)
        self.rate_hz: int = config["audio"]["sample_rate"]  # type: ignore[index]

    @classmethod
    def load(cls, cache_dir: Path, *, threads: int | None = None, slowness: float = 1.0) -> Piper:
        """Load and warm the voice (about 0.6 s), or share the one that the process has.

        `threads` per synthesis (default: two, or one on a single core); `slowness` above 1 speaks slower.
        Raises WeightsUnavailable.
        """
        count = threads or min(2, os.cpu_count() or 1)
        with _loading:
            key = (count, slowness)
            if key not in _loaded:
                model, config = weights.piper_joe(cache_dir)
                settings = json.loads(config.read_text("utf-8"))
                voice = cls(model.read_bytes(), settings, threads=count, slowness=slowness)
                for _ in voice.synthesise("Ready."):
                    pass
                _loaded[key] = voice
            return _loaded[key]

    def synthesise(
        self, text: str, *, fast_start: bool = True, stop: threading.Event | None = None
    ) -> Generator[Chunk, None, None]:
        """Speech for `text`, one chunk per clause; the first is four words at most with `fast_start`.

        Silence before a clause is trimmed; after it only the pause remains that its punctuation asks for.
        When `stop` is set nothing more comes after the clause in work.
        """
        for piece in pieces(spoken(text), fast_start=fast_start):
            if stop is not None and stop.is_set():
                return
            chunk = self._say(piece)
            if chunk is not None:
                yield chunk

    def _say(self, piece: Sequence[SpokenWord]) -> Chunk | None:
        marks, spans = _marks(piece)
        if not any(mark.isalpha() for mark in marks):
            return None
        ids = [self._ids[_BEGIN], self._ids[_PAD]]
        for mark in marks:
            ids += [self._ids[mark], self._ids[_PAD]]
        ids.append(self._ids[_END])
        audio, durations = self._session.run(
            None,
            {
                "input": np.array([ids], np.int64),
                "input_lengths": np.array([len(ids)], np.int64),
                "scales": self._scales,
            },
        )
        samples = np.clip(audio.ravel() * _GAIN, -32767, 32767).astype(np.int16)
        ends = np.cumsum(durations.ravel()) * (_HOP / self.rate_hz)
        return self._trimmed(samples, [(_at(ends, start), _at(ends, end)) for start, end in spans], piece)

    def _trimmed(self, samples: Samples, times: list[tuple[float, float]], piece: Sequence[SpokenWord]) -> Chunk | None:
        first, last = audible_span(samples)
        if last == 0:
            return None
        said = [word for _, words in piece for word in words]
        pause = said[-1] if said[-1] in PAUSES else ""
        begin = max(0, first - int(_LEAD_SECS * self.rate_hz))
        end = last + int(_TAIL_SECS[pause] * self.rate_hz)
        kept = samples[begin:end]
        kept = np.concatenate([kept, np.zeros(end - begin - len(kept), np.int16)])
        secs, offset = len(kept) / self.rate_hz, begin / self.rate_hz
        words = tuple(
            WordTime(written, min(max(start - offset, 0.0), secs), min(max(finish - offset, 0.0), secs))
            for (written, _), (start, finish) in zip(piece, times, strict=True)
        )
        return Chunk(kept.tobytes(), self.rate_hz, words)


def _with_durations(model: bytes) -> bytes:
    """Declare the tensor of phoneme durations a graph output.

    A protobuf parser merges repeated messages, so appending `ModelProto{graph{output{name}}}` adds one
    output to the graph without reading the 60 MB before it.
    """

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    return model + field(7, field(12, field(1, _DURATIONS.encode())))


def _at(ends: np.ndarray, mark: int) -> float:
    """Seconds at which the mark with this index begins (its id stands after begin, pad and the pairs before)."""
    return float(ends[2 * mark + 1])


def _marks(piece: Sequence[SpokenWord]) -> tuple[list[str], list[tuple[int, int]]]:
    """IPA marks of a clause, and for each written word the range of marks that is its sound."""
    marks: list[str] = []
    spans: list[tuple[int, int]] = []
    said = [word for _, words in piece for word in words]
    position = 0
    for _, words in piece:
        start = end = len(marks)
        for word in words:
            following = said[position + 1] if position + 1 < len(said) else ""
            position += 1
            if word in PAUSES:
                marks.append(word)
                continue
            if marks:
                marks.append(" ")
            start = len(marks) if start == end else start
            marks += _word(word, following)
            end = len(marks)
        spans.append((start, end))
    return marks, spans


def _word(word: str, following: str) -> str:
    if word == "the" and following[:1].islower() and phones(following)[0][:-1] in VOWELS:
        return "ðɪ"
    if word == "to" and (not following or following in PAUSES):
        return "tuː"
    return _IN_PASSING[word] if word in _IN_PASSING else _ipa(phones(word))


def _ipa(word: Phones) -> str:
    """ARPAbet with stress to the IPA that the voice knows: the stress mark stands before the vowel."""
    said = ""
    for index, phone in enumerate(word):
        name, stress = phone.rstrip("012"), phone[-1] if phone[-1].isdigit() else ""
        before = word[index - 1] if index else ""
        after = word[index + 1] if index + 1 < len(word) else ""
        if not stress:
            said += "ɾ" if name == "T" and _flapped(before, after) else _IPA[name]
        elif after == "R" and name in _BEFORE_R:
            said += _STRESS[stress] + _BEFORE_R[name]
        elif stress == "0" and name in _WEAK:
            said += "ɐ" if name == "AH" and not index and len(word) > 1 else _WEAK[name]
        else:
            said += _STRESS[stress] + _IPA[name]
    return said


def _flapped(before: str, after: str) -> bool:
    """American t between a vowel and an unstressed vowel, as in "water" and "forty"."""
    vowel_before = before[:-1] in VOWELS or before == "R"
    return vowel_before and after[-1:] == "0" and after != "AH0"
