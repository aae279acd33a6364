"""Each job's part, named once: which ear, voice and turn detector serve a session, by settings."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from agent.business import Business
from pipelines.settings import Settings
from processors.speech.embedded_stt import EmbeddedSTT
from processors.speech.embedded_tts import EmbeddedTTS
from processors.speech.flite import Flite
from processors.speech.piper import Piper
from processors.speech.vad import SharedSilero, shared_smart_turn
from processors.speech.vad import warm as warm_vad
from processors.speech.voice import Voice
from processors.speech.whisper import Whisper

EMBEDDED_EARS = ("whisper-tiny", "whisper-base")
VOCABULARY_CHARS = 300


@dataclass(frozen=True)
class Engines:
    """The embedded models of the process; None where a provider does the job."""

    whisper: Whisper | None
    voice: Voice | None

    @classmethod
    async def none(cls) -> Engines:
        return cls(None, None)

    @classmethod
    async def load(cls, settings: Settings, business: Business) -> Engines:
        """Load side by side, in threads."""
        whisper, voice, _ = await asyncio.gather(
            asyncio.to_thread(_load_whisper, settings, business),
            asyncio.to_thread(_load_voice, settings, business),
            asyncio.to_thread(warm_vad),
        )
        return cls(whisper, voice)


def _load_whisper(settings: Settings, business: Business) -> Whisper | None:
    ear, _ = settings.chosen_ear()
    if ear not in EMBEDDED_EARS:
        return None
    return Whisper.load(ear, settings.data_dir / "cache", vocabulary=_vocabulary(business))


def _vocabulary(business: Business) -> list[str]:
    """The names and words of the business's own files that the ear should expect."""
    titles = [intent.title for intent in business.intents.values()] + [s.title for s in business.slots.values()]
    return [business.name, *business.vocabulary, *titles]


def _load_voice(settings: Settings, business: Business) -> Voice | None:
    voice, _ = settings.chosen_voice()
    named = business.voices.embedded
    if voice == "flite" or (voice == "piper" and named != "joe"):
        return Flite(named if named != "joe" else "slt")
    return Piper.load(settings.data_dir / "cache") if voice == "piper" else None


def make_vad() -> VADProcessor:
    """Silero, its model shared by all sessions."""
    return VADProcessor(vad_analyzer=SharedSilero())


def turn_analyzer() -> BaseTurnAnalyzer:
    """Smart Turn, its model shared by all sessions."""
    return shared_smart_turn()


def make_ear(settings: Settings, engines: Engines, rate_hz: int) -> STTService:
    """The session's STT. Services of providers are imported where they are used."""
    ear, _ = settings.chosen_ear()
    match ear:
        case "deepgram":
            from pipecat.services.deepgram.stt import DeepgramSTTService

            return DeepgramSTTService(
                api_key=_secret(settings.deepgram_api_key),
                base_url=settings.deepgram_url,
                sample_rate=rate_hz,
                settings=DeepgramSTTService.Settings(model=settings.deepgram_model),
                audio_passthrough=False,
            )
        case "moonshine":
            from pipecat.services.moonshine.stt import MoonshineSTTService

            return MoonshineSTTService()
        case "whisper-large":
            from pipecat.services.whisper.stt import Model, WhisperSTTService

            return WhisperSTTService(settings=WhisperSTTService.Settings(model=Model.LARGE.value))
        case _:
            assert engines.whisper
            return EmbeddedSTT(whisper=engines.whisper, interims=True)


def make_voice(settings: Settings, engines: Engines, business: Business, rate_hz: int) -> TTSService:
    """The session's TTS, at the session's own sample rate."""
    voice, _ = settings.chosen_voice()
    named: dict[str, Any] = business.voices.model_dump()
    match voice:
        case "cartesia":
            from pipecat.services.cartesia.tts import CartesiaTTSService

            where = {"url": settings.cartesia_url} if settings.cartesia_url else {}
            return CartesiaTTSService(
                api_key=_secret(settings.cartesia_api_key),
                sample_rate=rate_hz,
                settings=CartesiaTTSService.Settings(voice=named["cartesia"]),
                **where,
            )
        case "elevenlabs":
            from pipecat.services.elevenlabs.tts import ElevenLabsTTSService

            where = {"url": settings.elevenlabs_url} if settings.elevenlabs_url else {}
            return ElevenLabsTTSService(
                api_key=_secret(settings.elevenlabs_api_key),
                sample_rate=rate_hz,
                settings=ElevenLabsTTSService.Settings(voice=named["elevenlabs"]),
                **where,
            )
        case "kokoro":
            from pipecat.services.kokoro.tts import KokoroTTSService

            return KokoroTTSService()
        case _:
            assert engines.voice
            return EmbeddedTTS(voice=engines.voice)


def _secret(key: Any) -> str:
    return key.get_secret_value() if key else ""
