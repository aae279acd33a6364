"""What a developer deploys: the one reader of the environment."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from agent.dialogue.window import WindowPolicy

ROOT = Path(__file__).parent.parent


class Settings(BaseSettings):
    """Keys, addresses and limits, from the environment and `.env`. A key or URL that is set turns its part on."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True)

    # The server
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 7860
    data_dir: Path = Path("var")
    """Where journals, vault, caches and recordings stand."""
    business: Path = ROOT / "examples" / "acme"
    """The folder of the business."""
    public_url: str = ""
    """The https address under which carriers and browsers reach this server; its own address where empty."""
    admin_token: SecretStr | None = None
    """Opens the protected endpoints; without it they are closed."""
    vault_key: SecretStr | None = None
    """32 bytes in base64 that wrap the keys of personal data; made in DATA_DIR where empty."""
    identity_secret: SecretStr | None = None
    """Shared with the business's site, which signs its users' ids with it; without it none is taken."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    max_sessions: Annotated[int, Field(ge=1)] = 100
    """More are refused with a clear word."""

    # The model
    openai_api_key: SecretStr | None = None
    openai_base_url: str = ""
    openai_model: str = "gpt-4.1-mini"
    openai_temperature: Annotated[float, Field(ge=0, le=2)] = 0.3
    openai_max_tokens: Annotated[int, Field(ge=16)] = 500
    """Of one answer."""
    model_first_token_secs: Annotated[float, Field(gt=0)] = 2.5
    """A model that says nothing useful within this is passed over."""
    prompt_tokens: Annotated[int, Field(ge=1000)] = 6000
    """Of one prompt, instructions and tools included; agent/dialogue/window.py says what goes first."""
    text_window_turns: Annotated[int, Field(ge=2, le=50)] = 10
    """The newest turns that a model is shown; a summary and facts stand for those before."""
    voice_window_turns: Annotated[int, Field(ge=2, le=50)] = 6
    intent_model: str = ""
    """A model at the same endpoint that has the last word on the intent; the embedded classifier alone where empty."""
    intent_model_secs: Annotated[float, Field(gt=0)] = 1.5
    """An intent that takes longer is the embedded classifier's."""

    # The ear
    ear: Literal["auto", "whisper-tiny", "whisper-base", "deepgram", "moonshine", "whisper-large"] = "auto"
    """`auto` is Deepgram with its key, else the embedded Whisper."""
    deepgram_api_key: SecretStr | None = None
    deepgram_url: str = ""
    deepgram_model: str = "nova-3"

    # The voice
    voice: Literal["auto", "piper", "flite", "cartesia", "elevenlabs", "kokoro"] = "auto"
    """`auto` is Cartesia or ElevenLabs with their keys, else the embedded Piper."""
    cartesia_api_key: SecretStr | None = None
    cartesia_url: str = ""
    elevenlabs_api_key: SecretStr | None = None
    elevenlabs_url: str = ""

    # Phone
    twilio_account_sid: str = ""
    twilio_auth_token: SecretStr | None = None
    twilio_api_url: str = ""

    # Rooms
    livekit_url: str = ""
    livekit_api_key: str = ""
    livekit_api_secret: SecretStr | None = None

    # Stores
    database_url: str = ""
    """Postgres (postgresql://...) or SQLite; a file in DATA_DIR where empty."""
    redis_url: str = ""
    """Redis (redis://...) in front of the database: hot copies, leases and word between several servers."""
    qdrant_url: str = ""
    qdrant_api_key: SecretStr | None = None

    @field_validator("vault_key")
    @classmethod
    def _is_32_bytes(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            try:
                raw = base64.b64decode(key.get_secret_value(), validate=True)
            except ValueError:
                raw = b""
            if len(raw) != 32:
                raise ValueError("VAULT_KEY must be 32 bytes in base64; make one with: openssl rand -base64 32")
        return key

    @field_validator("redis_url")
    @classmethod
    def _is_known_redis(cls, url: str) -> str:
        if url and not re.match(r"(?:rediss?|unix)://", url):
            raise ValueError("REDIS_URL must begin with redis://, rediss:// or unix://")
        return url

    @field_validator("database_url")
    @classmethod
    def _is_known_database(cls, url: str) -> str:
        if url and not re.match(r"(?:sqlite|postgres(?:ql)?)(?:\+\w+)?://", url):
            raise ValueError("DATABASE_URL must begin with postgresql:// or sqlite:///")
        return url

    @model_validator(mode="after")
    def _intent_model_has_an_endpoint(self) -> Self:
        if self.intent_model and not self.uses_model:
            raise ValueError("INTENT_MODEL needs OPENAI_API_KEY or OPENAI_BASE_URL")
        return self

    @property
    def journal_url(self) -> str:
        """The database of journals, vault and customers."""
        return self.database_url or f"sqlite:///{self.data_dir / 'openline.db'}"

    @property
    def address(self) -> str:
        """Where this server is reached, without a final slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def shares_database(self) -> bool:
        """Whether other servers may use the same database."""
        return self.database_url.startswith("postgres")

    @property
    def uses_model(self) -> bool:
        return bool(self.openai_api_key or self.openai_base_url)

    @property
    def window(self) -> WindowPolicy:
        return WindowPolicy(self.text_window_turns, self.voice_window_turns, self.prompt_tokens)

    def chosen_ear(self) -> tuple[str, str]:
        """(which ear, why)."""
        if self.ear != "auto":
            return self.ear, "EAR is set"
        if self.deepgram_api_key:
            return "deepgram", "DEEPGRAM_API_KEY is set"
        return "whisper-tiny", "no key is set"

    def chosen_voice(self) -> tuple[str, str]:
        """(which voice, why)."""
        if self.voice != "auto":
            return self.voice, "VOICE is set"
        if self.cartesia_api_key:
            return "cartesia", "CARTESIA_API_KEY is set"
        if self.elevenlabs_api_key:
            return "elevenlabs", "ELEVENLABS_API_KEY is set"
        return "piper", "no key is set"


def setting_faults(fault: ValidationError) -> str:
    """Every setting that is wrong, a line each."""
    return "\n".join(f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in fault.errors())
