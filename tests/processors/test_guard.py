"""Guard: tokens become what may be said, however the words were cut into pieces."""

from __future__ import annotations

import pytest
from pipecat.frames.frames import LLMFullResponseEndFrame, LLMFullResponseStartFrame, LLMTextFrame
from pipecat.tests.utils import run_test

from agent.acts import Card, Show
from agent.store.memory import MemoryJournal
from agent.store.vault import Vault
from processors.frames import ActFrame
from processors.guard import Guard


async def passed(purpose: str, *pieces: str) -> str:
    vault = await Vault(MemoryJournal(clock=lambda: 0.0), b"k" * 32).open("c")
    assert vault.protect("EMAIL", "jo@example.com", "jo@example.com") == "[EMAIL_1]"
    assert vault.protect("CARD", "4111 1111 1111 1111", "4111111111111111") == "[CARD_1]"
    frames = [LLMFullResponseStartFrame(), *map(LLMTextFrame, pieces), LLMFullResponseEndFrame()]
    down, _ = await run_test(Guard(vault=vault, purpose=purpose), frames_to_send=frames)  # type: ignore[arg-type]
    return "".join(f.text for f in down if isinstance(f, LLMTextFrame))


@pytest.mark.parametrize(
    "pieces", [("Mail to [EMAIL_1] today.",), ("Mail to [EM", "AIL_", "1] today."), tuple("Mail to [EMAIL_1] today.")]
)
async def test_a_token_is_revealed_however_it_was_cut(pieces: tuple[str, ...]) -> None:
    assert await passed("text", *pieces) == "Mail to jo@example.com today."


async def test_a_card_is_never_said_in_full() -> None:
    said = await passed("speech", "Charged to [CARD_1].")
    assert "1111" in said and "4111 1111" not in said


async def test_a_citation_is_shown_and_not_spoken() -> None:
    assert await passed("text", "Two days. [Sour", "ce: Shipping] ", "More.") == "Two days. [Source: Shipping] More."
    assert (await passed("speech", "Two days. [Sour", "ce: Shipping]")).strip() == "Two days."


async def test_a_receipt_shows_the_customers_own_value() -> None:
    vault = await Vault(MemoryJournal(clock=lambda: 0.0), b"k" * 32).open("c")
    token = vault.protect("EMAIL", "jo@example.com", "jo@example.com")
    receipt = ActFrame(Show(cards=(Card("Changed", (("E-mail", token),)),)))
    down, _ = await run_test(Guard(vault=vault, purpose="text"), frames_to_send=[receipt])
    assert [f.act.cards[0].rows for f in down if isinstance(f, ActFrame)] == [(("E-mail", "jo@example.com"),)]


async def test_a_bracket_that_never_closes_is_let_through() -> None:
    assert await passed("text", "a [b", " c") == "a [b c"
    assert (await passed("text", "[" + "x" * 200, "y")) == "[" + "x" * 200 + "y"
