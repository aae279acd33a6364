from __future__ import annotations

import threading
from typing import Any

import pytest
from pipecat.frames.frames import LLMMessagesAppendFrame
from pipecat.tests.utils import run_test

from agent.conversation import Conversation
from processors.listen import LONG_CHARS, Listen


class _Live:
    vault = None
    state = Conversation("c")


class _Ear:
    """Notes the thread that it hears in."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def hear(self, raw: str, *_: Any, **__: Any) -> str:
        self.threads.append(threading.get_ident())
        return raw


@pytest.mark.parametrize(("length", "on_the_loop"), [(10, True), (LONG_CHARS, False), (4000, False)])
async def test_a_long_text_is_read_off_the_event_loop(length: int, on_the_loop: bool) -> None:
    ear = _Ear()
    frame = LLMMessagesAppendFrame(messages=[{"role": "user", "content": "x" * length}])
    await run_test(Listen(understander=ear, live=_Live()), frames_to_send=[frame])  # type: ignore[arg-type]
    assert [thread == threading.get_ident() for thread in ear.threads] == [on_the_loop]
