"""Starts simulated providers for anyone: `scripts/simulate deepgram --port 8001`."""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from lab.providers.cartesia_sim import CartesiaSim
from lab.providers.deepgram_sim import DeepgramSim
from lab.providers.elevenlabs_sim import ElevenLabsSim
from lab.providers.openai_sim import OpenAISim, echo_agent
from lab.providers.speech_sim import Delay, Ear, SpeechSim
from lab.providers.tones import Lexicon, ToneEar, ToneVoice
from processors.speech.piper import Piper
from processors.speech.voice import Voice
from processors.speech.whisper import Whisper

NAMES = ("openai", "deepgram", "cartesia", "elevenlabs")


class WhisperHears:
    """The embedded Whisper as a provider's ear."""

    def __init__(self, cache_dir: Path) -> None:
        self._whisper = Whisper.load("whisper-tiny", cache_dir)

    def hear(self, pcm16: bytes, rate_hz: int) -> str:
        return self._whisper.transcribe(pcm16, rate_hz).text


def main() -> None:
    """Run the chosen providers until Ctrl-C."""
    reader = argparse.ArgumentParser(
        prog="scripts/simulate",
        description="Simulated providers on 127.0.0.1, with real words. Prints the settings that lead to them.",
    )
    reader.add_argument("which", choices=[*NAMES, "all"], help="which provider; all takes four ports in a row")
    reader.add_argument("--port", type=int, default=0, help="the first port (default: any that is free)")
    reader.add_argument("--tones", action="store_true", help="a tone for each word instead of speech: costs nothing")
    reader.add_argument("--median", type=float, default=0.0, help="median delay of an answer in seconds (default 0)")
    reader.add_argument("--p95", type=float, default=0.0, help="its 95th percentile")
    reader.add_argument("--seed", type=int, default=0, help="of the delays")
    reader.add_argument("--api-key", help="refuse every other key")
    reader.add_argument("--data-dir", type=Path, default=Path("var"), help="where models are cached (default var)")
    arguments = reader.parse_args()
    names = NAMES if arguments.which == "all" else (arguments.which,)
    makers = _makers(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), ExitStack() as running:
        for index, name in enumerate(names):
            port = arguments.port + index if arguments.port else 0
            try:
                setting, stop = makers[name](port)
            except OSError as fault:
                reader.error(f"port {port} cannot be used: {os.strerror(fault.errno or 0)}")
            running.callback(stop)
            print(setting, flush=True)
        while True:
            time.sleep(1)


Maker = Callable[[int], tuple[str, Callable[[], None]]]
"""Starts a provider at a port: (the setting that leads to it, what ends it)."""


def _makers(arguments: argparse.Namespace) -> dict[str, Maker]:
    lexicon, cache = Lexicon(), arguments.data_dir / "cache"
    common = {
        "delay": Delay(arguments.median, arguments.p95, arguments.seed),
        "api_key": arguments.api_key,
    }

    def ear() -> Ear:
        return ToneEar(lexicon) if arguments.tones else WhisperHears(cache)

    def voice() -> Voice:
        return ToneVoice(lexicon) if arguments.tones else Piper.load(cache)

    def openai(port: int) -> tuple[str, Callable[[], None]]:
        sim = OpenAISim(echo_agent, port=port, api_key=arguments.api_key)
        sim.start()
        return f"OPENAI_BASE_URL={sim.base_url}", sim.stop

    return {
        "openai": openai,
        "deepgram": lambda port: _started("DEEPGRAM_URL", DeepgramSim(ear(), port=port, **common)),
        "cartesia": lambda port: _started("CARTESIA_URL", CartesiaSim(voice(), port=port, **common)),
        "elevenlabs": lambda port: _started("ELEVENLABS_URL", ElevenLabsSim(voice(), port=port, **common)),
    }


def _started(setting: str, sim: SpeechSim) -> tuple[str, Callable[[], None]]:
    sim.start()
    path = "/tts/websocket" if setting == "CARTESIA_URL" else ""
    return f"{setting}={sim.url}{path}", sim.stop


if __name__ == "__main__":
    main()
