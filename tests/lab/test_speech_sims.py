"""The simulated speech providers, driven by the official SDKs and by Pipecat's own services."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cartesia import AsyncCartesia
from deepgram import AsyncDeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.types import ListenV1Results
from pipecat.frames.frames import (
    ErrorFrame,
    InputAudioRawFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
    TTSTextFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.elevenlabs.tts import ElevenLabsTTSService
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from lab.providers.cartesia_sim import CartesiaSim
from lab.providers.deepgram_sim import DeepgramSim
from lab.providers.elevenlabs_sim import ElevenLabsSim
from lab.providers.speech_sim import Delay, Fail, Mute, Reset
from lab.providers.tones import Lexicon, ToneEar, ToneVoice
from tests.processors.speech.bench import bench

ROOT = Path(__file__).parents[2]
SAID = "you may keep twenty books for three weeks"
RATE_HZ = 8_000


def tones(lexicon: Lexicon, text: str = SAID) -> bytes:
    return b"".join(chunk.pcm for chunk in ToneVoice(lexicon).synthesise(text))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000])
async def test_an_ear_hears_the_words_of_the_voice(rate_hz: int) -> None:
    lexicon = Lexicon()
    async with ElevenLabsSim(ToneVoice(lexicon)) as sim:
        address = f"{sim.url}/v1/text-to-speech/any/stream-input?output_format=pcm_{rate_hz}"
        async with connect(address) as socket:
            for text in (" ", SAID, ""):
                await socket.send(json.dumps({"text": text}))
            messages = [json.loads(message) async for message in _until_final(socket)]
    pcm = b"".join(base64.b64decode(m["audio"]) for m in messages if m["audio"])
    assert ToneEar(lexicon).hear(pcm, rate_hz) == SAID
    assert "".join("".join(m["alignment"]["chars"]) for m in messages if m["audio"]).split() == SAID.split()


async def _until_final(socket: Any) -> Any:
    async for message in socket:
        yield message
        if json.loads(message).get("isFinal"):
            return


def test_a_word_that_is_cut_is_told_from_a_whole_one() -> None:
    lexicon = Lexicon()
    pcm = tones(lexicon, "one two three")
    assert ToneEar(lexicon).hear(pcm[: len(pcm) * 5 // 6 - 1000 & ~1], RATE_HZ).split() == ["one", "two", "three-"]


async def test_deepgrams_sdk_gets_a_transcript() -> None:
    lexicon, found = Lexicon(), []
    async with DeepgramSim(ToneEar(lexicon)) as sim:
        here = DeepgramClientEnvironment(base=sim.url, production=sim.url, agent=sim.url, agent_rest=sim.url)
        client = AsyncDeepgramClient(api_key="any", environment=here)
        async with client.listen.v1.connect(model="nova-3", encoding="linear16", sample_rate="8000") as socket:
            socket.on(EventType.MESSAGE, found.append)
            await socket.send_media(tones(lexicon))
            await socket.send_finalize()
            await socket.send_close_stream()
            await socket.start_listening()
    results = [message for message in found if isinstance(message, ListenV1Results)]
    assert [result.channel.alternatives[0].transcript for result in results] == [SAID]
    assert results[0].from_finalize
    assert [word.word for word in results[0].channel.alternatives[0].words] == SAID.split()


async def test_pipecats_deepgram_service_hears() -> None:
    lexicon = Lexicon()
    async with DeepgramSim(ToneEar(lexicon), api_key="k") as sim:
        service = DeepgramSTTService(api_key="k", base_url=sim.url, sample_rate=RATE_HZ)
        async with bench([service], in_hz=RATE_HZ) as line:
            await line.send(VADUserStartedSpeakingFrame())
            await line.send(InputAudioRawFrame(tones(lexicon), RATE_HZ, 1))
            await sim.until("audio")
            await line.send(VADUserStoppedSpeakingFrame())
            heard = await line.until(TranscriptionFrame)
    assert heard.text == SAID and heard.finalized


async def test_cartesias_sdk_speaks_in_a_context() -> None:
    lexicon, pcm, words = Lexicon(), b"", []
    async with CartesiaSim(ToneVoice(lexicon)) as sim:
        client = AsyncCartesia(api_key="any", base_url=sim.url.replace("ws", "http"), websocket_base_url=sim.url)
        async with client.tts.websocket_connect() as socket:
            await socket.send(request(SAID))
            async for event in socket:
                if event.type == "chunk":
                    pcm += event.audio or b""
                elif event.type == "timestamps":
                    words += event.word_timestamps.words
                elif event.type == "done":
                    break
    assert ToneEar(lexicon).hear(pcm, RATE_HZ) == SAID
    assert words == SAID.split()


def request(text: str) -> Any:
    return {
        "model_id": "sonic-3",
        "transcript": text,
        "voice": {"mode": "id", "id": "any"},
        "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": RATE_HZ},
        "context_id": "one",
        "continue": False,
        "add_timestamps": True,
    }


@pytest.mark.parametrize("provider", ["cartesia", "elevenlabs"])
async def test_pipecats_voice_services_speak(provider: str) -> None:
    lexicon = Lexicon()
    kind = CartesiaSim if provider == "cartesia" else ElevenLabsSim
    async with kind(ToneVoice(lexicon), api_key="k") as sim:
        service = _service(provider, sim.url)
        async with bench([service], out_hz=RATE_HZ) as line:
            await line.send(TTSSpeakFrame(SAID))
            await line.until(TTSStoppedFrame)
    pcm = b"".join(frame.audio for frame in line.all(TTSAudioRawFrame))
    assert ToneEar(lexicon).hear(pcm, RATE_HZ) == SAID
    assert " ".join(frame.text for frame in line.all(TTSTextFrame)).split() == SAID.split()


def _service(provider: str, url: str) -> Any:
    if provider == "cartesia":
        settings = CartesiaTTSService.Settings(voice="any")
        return CartesiaTTSService(api_key="k", url=f"{url}/tts/websocket", settings=settings)
    return ElevenLabsTTSService(api_key="k", url=url, settings=ElevenLabsTTSService.Settings(voice="any"))


async def test_a_cut_comes_in_the_middle_of_the_word_that_was_asked_for() -> None:
    lexicon, pcm = Lexicon(), b""
    async with CartesiaSim(ToneVoice(lexicon)) as sim:
        sim.script(Reset(after_words=2))
        async with connect(f"{sim.url}/tts/websocket") as socket:
            await socket.send(json.dumps(request(SAID)))
            with pytest.raises(ConnectionClosed):
                while True:
                    pcm += base64.b64decode(json.loads(await socket.recv()).get("data", ""))
    assert ToneEar(lexicon).hear(pcm, RATE_HZ) == "you may keep-"


@pytest.mark.parametrize("provider", ["deepgram", "cartesia", "elevenlabs"])
async def test_a_mute_provider_keeps_the_line_says_nothing_and_ends_with_its_caller(provider: str) -> None:
    lexicon = Lexicon()
    path, asked, taken = {
        "deepgram": ("/v1/listen", [tones(lexicon), {"type": "Finalize"}], "finalize"),
        "cartesia": ("/tts/websocket", [request(SAID)], "request"),
        "elevenlabs": ("/v1/text-to-speech/any/stream-input", [{"text": SAID}, {"text": ""}], "request"),
    }[provider]
    made = {"deepgram": DeepgramSim(ToneEar(lexicon)), "cartesia": CartesiaSim(ToneVoice(lexicon))}
    async with made.get(provider) or ElevenLabsSim(ToneVoice(lexicon)) as sim:
        sim.script(Mute())
        async with connect(f"{sim.url}{path}") as socket:
            for message in asked:
                await socket.send(message if isinstance(message, bytes) else json.dumps(message))
            await sim.until(taken)
            await (await socket.ping())
        await sim.until("left")
    assert not sim.all("word") and not sim.all("result")


async def test_cartesias_error_reaches_pipecat() -> None:
    async with CartesiaSim(ToneVoice(Lexicon())) as sim:
        sim.script(Fail("no credits"))
        async with bench([_service("cartesia", sim.url)], out_hz=RATE_HZ) as line:
            await line.send(TTSSpeakFrame(SAID))
            error = await line.until(ErrorFrame, upstream=True)
    assert "no credits" in error.error


async def test_a_provider_that_is_down_refuses_until_it_is_up() -> None:
    async with DeepgramSim(ToneEar(Lexicon())) as sim:
        async with connect(f"{sim.url}/v1/listen") as socket:
            sim.down()
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        with pytest.raises(InvalidStatus):
            await connect(f"{sim.url}/v1/listen")
        sim.up()
        async with connect(f"{sim.url}/v1/listen") as socket:
            await socket.send(json.dumps({"type": "CloseStream"}))
            assert json.loads(await socket.recv())["type"] == "Metadata"


async def test_a_wrong_key_is_refused() -> None:
    async with ElevenLabsSim(ToneVoice(Lexicon()), api_key="right") as sim:
        with pytest.raises(InvalidStatus):
            await connect(f"{sim.url}/v1/text-to-speech/any/stream-input", additional_headers={"xi-api-key": "wrong"})


def test_delays_follow_their_distribution_and_their_seed() -> None:
    draw, again = Delay(0.15, 0.298, seed=7).draws(), Delay(0.15, 0.298, seed=7).draws()
    drawn = [draw() for _ in range(4000)]
    assert drawn == [again() for _ in range(4000)]
    assert np.median(drawn) == pytest.approx(0.15, rel=0.05)
    assert np.percentile(drawn, 95) == pytest.approx(0.298, rel=0.1)


def test_the_command_prints_the_settings_that_lead_to_it() -> None:
    command = [sys.executable, "-m", "lab.providers.simulate", "all", "--tones"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = [process.stdout.readline().partition("=")[0] for _ in range(4)]
        process.terminate()
    assert told == ["OPENAI_BASE_URL", "DEEPGRAM_URL", "CARTESIA_URL", "ELEVENLABS_URL"]
    assert process.returncode == 0
