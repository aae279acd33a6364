"""Each job's part, named once: which ear, voice and turn detector serve a session, by settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from agent.business import Business
from agent.errors import SettingFault
from agent.live import LiveConversation
from agent.llm.openai_compatible import OpenAICompatible
from agent.llm.prompt import fixed_tokens
from agent.tools.registry import Tool
from pipelines.settings import Settings
from processors.expect import Expect
from processors.speech.embedded_stt import EmbeddedSTT
from processors.speech.embedded_tts import EmbeddedTTS
from processors.speech.loading import Embedded, EmbeddedVoice, load_embedded
from processors.speech.vad import SharedSilero
from processors.speech.whisper import WhisperModel

EMBEDDED_EARS: tuple[WhisperModel, ...] = ("whisper-tiny", "whisper-base")
FLITE_VOICES: dict[str, EmbeddedVoice] = {
    "slt": "flite-slt",
    "rms": "flite-rms",
    "awb": "flite-awb",
    "kal16": "flite-kal16",
}


MIN_ROOM_TOKENS = 500
"""What a prompt must leave to the conversation."""


def make_model(settings: Settings, name: str) -> OpenAICompatible:
    """A model at the endpoint of the settings."""
    return OpenAICompatible(
        base_url=settings.openai_base_url or None,
        api_key=_secret(settings.openai_api_key) or "none",
        model=name,
        window=settings.window,
        temperature=settings.openai_temperature,
        max_tokens=settings.openai_max_tokens,
    )


def make_models(settings: Settings, business: Business, tools: Mapping[str, Tool]) -> list[OpenAICompatible]:
    """The model chain's levels before the grounded responder. Raises SettingFault."""
    if not settings.uses_model:
        return []
    model = make_model(settings, settings.openai_model)
    least = fixed_tokens(business, tools.values(), model.count) + MIN_ROOM_TOKENS
    if settings.prompt_tokens < least:
        raise SettingFault(
            f"PROMPT_TOKENS={settings.prompt_tokens} is too few: the instructions and tools of {business.name} "
            f"need at least {least}."
        )
    return [model]


async def load_engines(settings: Settings, business: Business) -> Embedded:
    """The embedded models, loaded side by side in threads; none where a provider does the job."""
    ear, _ = settings.chosen_ear()
    voice, _ = settings.chosen_voice()
    return await load_embedded(
        settings.data_dir / "cache",
        ear=ear if ear in EMBEDDED_EARS else None,
        voice=_embedded_voice(voice, business),
        vocabulary=_vocabulary(business),
    )


def _vocabulary(business: Business) -> list[str]:
    """The names and words of the business's own files that the ear should expect."""
    titles = [intent.title for intent in business.intents.values()] + [s.title for s in business.slots.values()]
    return [business.name, *business.vocabulary, *titles]


def _embedded_voice(voice: str, business: Business) -> EmbeddedVoice | None:
    named = business.voices.embedded
    if voice == "piper" and named == "joe":
        return "piper"
    if voice in ("piper", "flite"):
        return FLITE_VOICES["slt" if named == "joe" else named]
    return None


def make_vad(turn: BaseTurnAnalyzer) -> VADProcessor:
    """Silero, its model shared by all sessions; it feeds the turn analyser, so that audio need not travel on."""
    return VADProcessor(vad_analyzer=SharedSilero(turn=turn))


def make_ear(settings: Settings, engines: Embedded | None, rate_hz: int) -> STTService:
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
            assert engines and engines.ear
            return EmbeddedSTT(whisper=engines.ear, interims=True)


def expectations(settings: Settings, business: Business, live: LiveConversation) -> list[FrameProcessor]:
    """What tells an embedded ear that digits are awaited; providers need no telling."""
    ear, _ = settings.chosen_ear()
    return [Expect(business=business, live=live)] if ear in EMBEDDED_EARS else []


def make_voice(settings: Settings, engines: Embedded | None, business: Business, rate_hz: int) -> TTSService:
    """The session's TTS, at the session's own sample rate."""
    voice, _ = settings.chosen_voice()
    named = business.voices
    where: dict[str, Any] = {}
    match voice:
        case "cartesia":
            from pipecat.services.cartesia.tts import CartesiaTTSService

            if settings.cartesia_url:
                where["url"] = settings.cartesia_url
            return CartesiaTTSService(
                api_key=_secret(settings.cartesia_api_key),
                sample_rate=rate_hz,
                settings=CartesiaTTSService.Settings(voice=named.cartesia),
                **where,
            )
        case "elevenlabs":
            from pipecat.services.elevenlabs.tts import ElevenLabsTTSService

            if settings.elevenlabs_url:
                where["url"] = settings.elevenlabs_url
            return ElevenLabsTTSService(
                api_key=_secret(settings.elevenlabs_api_key),
                sample_rate=rate_hz,
                settings=ElevenLabsTTSService.Settings(voice=named.elevenlabs),
                **where,
            )
        case "kokoro":
            from pipecat.services.kokoro.tts import KokoroTTSService

            return KokoroTTSService()
        case _:
            assert engines and engines.voice
            return EmbeddedTTS(voice=engines.voice)


def _secret(key: Any) -> str:
    return key.get_secret_value() if key else ""
