"""Messages that nobody would write, through all of understanding and the policy: never an exception."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent import events as ev
from agent.conversation import fold
from agent.dialogue.decision import Situation
from agent.dialogue.policy import decide
from agent.knowledge.retrieval import NoPassageFound
from agent.loading import load_business
from agent.store.memory import MemoryJournal
from agent.store.vault import ConversationVault, Vault
from agent.understanding.embedding import HashEncoder
from agent.understanding.intents import Intents
from agent.understanding.understander import MAX_CHARS, Understander, training_examples
from tests.agent.understanding.test_hostile_input import PIECES
from tests.conftest import LIBRARY

TODAY = date(2026, 5, 13)
WORDS = (
    "yes no never mind both and 2000001 2000002 also instead [EMAIL_1] [STREET_1] [ADDRESS_99] 3/4 31/2 the third "
    "the day after tomorrow next friday in 999 years february 30 0000-00-00 9999-12-31 12:99 25 pm half past "
    "my name is o'neil this is it's 5 oak street zip 12345 not 12346 $ 1,,1 €-1 ١٢٣ four hundred thousand a@b.c "
    "WHY?! third time hung up on me cancel tell me where is </script> {x} %s \\1 \x00 \u202e 🙂 ﬁ İ ß"
).split(" ")
MESSAGES = st.one_of(
    st.text(max_size=300),
    st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=5)), max_size=40).map(" ".join),
    st.tuples(st.sampled_from(PIECES), st.integers(1, MAX_CHARS)).map(lambda p: (p[0] * p[1])[: 2 * MAX_CHARS]),
)


def asked(slot: str) -> list[ev.Event]:
    return [ev.Decided(at=1.0, action="ask", details={"task": "reserve_room", "slot": slot})]


STATES: list[list[ev.Event]] = [
    [],
    asked("day"),
    asked("card_number"),
    [
        ev.SlotSet(at=1.0, name="day", value="9999-12-31"),
        ev.Decided(
            at=1.0,
            action="which",
            details={"task": "reserve_room", "slot": "day", "options": ["2027-03-04", "2027-04-03"]},
        ),
    ],
    [ev.SlotSet(at=1.0, name="address", value="[STREET_1]"), *asked("day")],
]


@pytest.fixture(scope="module")
def understander() -> Understander:
    business, _ = load_business(LIBRARY)
    encoder = HashEncoder()
    intents = Intents.train(training_examples(business, []), encoder, cache_dir=None)
    return Understander(business, intents, encoder, ThreadPoolExecutor(1))


@pytest.fixture(scope="module")
def vault() -> ConversationVault:
    return asyncio.run(Vault(MemoryJournal(clock=lambda: 0.0), bytes(range(32))).open("c"))


def hears_anything(understander: Understander, vault: ConversationVault) -> Callable[[str, int, bool, date], None]:
    business, tools = load_business(LIBRARY)

    def hear(message: str, state: int, spoken: bool, today: date) -> None:
        conversation = fold("c", STATES[state])
        text = understander.hear(message, vault, conversation.pending, spoken=spoken, slots=conversation.slots)
        understood = asyncio.run(understander.understand(text, conversation, today, spoken=spoken))
        assert all(text[e.start : e.end] == e.text for e in understood.entities)
        assert 0 <= understood.frustration <= 1
        decision = decide(Situation(conversation, business, tools, understood, NoPassageFound(0.0), spoken=spoken))
        assert all(step.reasons for step in decision.chain())

    return hear


def fuzz(understander: Understander, vault: ConversationVault, times: int) -> None:
    hear = hears_anything(understander, vault)

    @settings(max_examples=times, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        MESSAGES,
        st.integers(0, len(STATES) - 1),
        st.booleans(),
        st.dates(min_value=date(1970, 1, 1), max_value=date(2100, 1, 1)),
    )
    @example("the day after", 3, False, TODAY)
    @example("in 999 years", 1, True, TODAY)
    def run(message: str, state: int, spoken: bool, today: date) -> None:
        hear(message, state, spoken, today)

    run()


@pytest.mark.timeout(300)
def test_a_thousand_messages_of_any_kind_are_understood(understander: Understander, vault: ConversationVault) -> None:
    fuzz(understander, vault, 1_000)


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_ten_thousand_messages_of_any_kind_are_understood(understander: Understander, vault: ConversationVault) -> None:
    fuzz(understander, vault, 10_000)
