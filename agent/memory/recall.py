"""The memory of a business's dialogue: recognises a customer once the rule is met, learns behind the reply.

    turn     understood ---> recognise: one look, only where this turn may prove something ---> reply
    behind the reply         learn: FactLearned into the journal, then the customers' home

What stands in the customers' home is revealed; what comes back from it becomes tokens of this conversation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from agent import events as ev
from agent.business import Business, Identity, Proof
from agent.conversation import Conversation
from agent.errors import OpenlineError
from agent.live import LiveConversation
from agent.memory.customers import Customers
from agent.memory.facts import PERSONAL, TITLES, TOKEN, Fact, fact_name, learned, own_contacts, said_name, standing
from agent.memory.identity import Claim, Kind, Said, claim, may_prove, proved
from agent.memory.records import Customer, Noted
from agent.store.vault import ConversationVault

LOOK_SECS = 0.3
"""A reply waits no longer for the memory; the customer stays a stranger then."""
CALLERS_NUMBER = "caller's number"
USER_ID = "user id"
"""Facts that a channel learned at its start, vouched for by the carrier and by the business's site."""
ERASE_CUSTOMER = "erase_customer"
"""A tool whose result has this set has the customer erased once the answer is given."""
_VOUCHED: dict[str, Kind] = {CALLERS_NUMBER: "phone", USER_ID: "user_id"}
_SAID: dict[str, Kind] = {"email": "email", "phone": "phone"}
_KINDS: tuple[Kind, ...] = ("phone", "email", "user_id")
log = structlog.get_logger()

Protect = Callable[[str, ConversationVault], str]


class Memory:
    """Shared by all sessions of a process."""

    def __init__(
        self,
        customers: Customers,
        business: Business,
        *,
        protect: Protect,
        erase: Callable[[str], Awaitable[None]],
    ) -> None:
        """`protect` turns personal data in a text into tokens; `erase` erases a conversation and its customer."""
        self.customers = customers
        self._business = business
        self._rules = _by_facts(business)
        self._protect = protect
        self._erase = erase
        self._asked = {fact for kind in _KINDS for fact in self._rules.of(kind).ask}
        self._running: set[asyncio.Task[None]] = set()

    async def recognise(
        self,
        live: LiveConversation,
        turn_id: str | None = None,
        text: str = "",
        entities: Sequence[ev.EntityFound] = (),
    ) -> list[ev.Event]:
        """`CustomerKnown` where the rule is met by what a turn says or, without a turn, by what a channel vouches for.

        Fails closed: where the memory does not answer, the customer is a stranger.
        """
        said = self._said(live, text, entities)
        claims = self._claims(live, text)
        wanted = [c for c in claims if may_prove(c, said, self._rules.of(c.kind))]
        if not wanted or not (turn_id is None or self._brings_news(text, entities)):
            return []
        try:
            async with asyncio.timeout(LOOK_SECS):
                return await self._look(live, turn_id, wanted, said)
        except (OpenlineError, TimeoutError) as fault:
            log.warning("a customer could not be looked up", error=type(fault).__name__)
            return []

    def learn(self, live: LiveConversation) -> None:
        """Learn, in the background, what the conversation has told; nothing is written twice."""
        task = asyncio.create_task(self._learn(live))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def finish(self) -> None:
        """Wait for what is being learned."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def _look(
        self, live: LiveConversation, turn_id: str | None, claims: Sequence[Claim], said: Said
    ) -> list[ev.Event]:
        now, known = live.clock(), live.state.customer_id
        profiles = await self.customers.holding(claims, said, live.conversation_id, now)
        proofs = [c for c in proved(claims, said, profiles, self._rules, now) if c != known]
        if not proofs:
            return []
        customer_id, *others = [known, *proofs] if known else proofs
        customers = await self.customers.load([customer_id, *others], now)
        facts = self._recalled(customers, live.vault, now)
        return [ev.CustomerKnown(customer_id=customer_id, same_as=others, facts=facts, **live.stamp(turn_id))]

    def _recalled(self, customers: Sequence[Customer], vault: ConversationVault, now: float) -> dict[str, str]:
        """What is known, by its title, as it may stand in a journal and a prompt; the newest first."""
        found: dict[str, list[str]] = {}
        for fact in standing([fact for customer in customers for fact in customer.facts], now):
            kind = PERSONAL.get(fact.name)
            value = vault.protect(kind, fact.value, fact.value.lower()) if kind else self._protect(fact.value, vault)
            found.setdefault(self._title(fact.name), []).append(value)
        for kind_of, value in [each for customer in customers for each in customer.identifiers]:
            if kind_of in PERSONAL:
                token = vault.protect(PERSONAL[kind_of], value, value)
                found.setdefault(self._title(kind_of), []).append(token)
        return {title: "; ".join(dict.fromkeys(values)) for title, values in found.items()}

    def _title(self, name: str) -> str:
        slot = self._business.slots.get(name)
        return slot.title if slot and slot.type == "pattern" else TITLES.get(name, name)

    def _said(self, live: LiveConversation, text: str, entities: Iterable[ev.EntityFound]) -> dict[str, list[str]]:
        """Every value that the customer gave for what a rule asks for, revealed."""
        name = said_name(text)
        found = [*live.state.said, *live.state.learned, *((e.type, e.value) for e in entities)]
        found += [("name", name)] if name else []
        return {
            asked: list({live.vault.reveal_text(value, "tool"): None for fact, value in found if fact == asked})
            for asked in self._asked
        }

    def _claims(self, live: LiveConversation, text: str) -> list[Claim]:
        """What the customer is, or says to be, known by."""
        found: list[tuple[Kind, str, bool]] = [
            (_VOUCHED[name], value, True) for name, value in live.state.learned if name in _VOUCHED
        ]
        said = [(name, value) for name, value in live.state.learned if name in _SAID]
        said += [("email" if "EMAIL" in token else "phone", token) for token in own_contacts(text)]
        found += [(_SAID[name], value, False) for name, value in said]
        claims = [self._claim(kind, value, live.vault, vouched=vouched) for kind, value, vouched in found]
        return list({c.key: c for c in reversed(claims) if c}.values())

    def _claim(self, kind: Kind, token: str, vault: ConversationVault, *, vouched: bool = False) -> Claim | None:
        """None where the vault does not know the token any more: its conversation was forgotten."""
        value = vault.reveal_text(token, "tool")
        return None if value == token else claim(kind, value, self._business.region, vouched=vouched)

    def _brings_news(self, text: str, entities: Sequence[ev.EntityFound]) -> bool:
        """Whether a turn says anything to look up that was not looked up before."""
        return bool(TOKEN.search(text) or said_name(text)) or any(e.type in self._asked for e in entities)

    async def _learn(self, live: LiveConversation) -> None:
        if live.forgotten:
            return
        try:
            turn_id = live.state.turns[-1].turn_id if live.state.turns else None
            news = learned(live.state, self._business, live.vault)
            await live.record(*(ev.FactLearned(name=n, value=v, **live.stamp(turn_id)) for n, v in news))
            kept = await self.customers.note(self._noted(live), live.clock())
            if not kept or _asks_to_be_erased(live.state):
                await self._erase(live.conversation_id)
        except OpenlineError as fault:  # the store has said so already; the next turn learns all again
            log.debug("nothing was learned of a turn", error=type(fault).__name__)
        except Exception as fault:
            log.exception("learning failed", error=type(fault).__name__)

    def _noted(self, live: LiveConversation) -> Noted:
        state, reveal = live.state, live.vault.reveal_text
        kept = [f for f in state.learned.values() if f.name not in (*_VOUCHED, *_SAID)]
        facts = [Fact(f.name, reveal(f.value, "tool"), live.conversation_id, f.turn_id, f.at) for f in kept]
        spoken_of = {token for turn in state.turns for token in _contacts(turn.user_text)}
        mentioned = [self._claim("email" if "EMAIL" in token else "phone", token, live.vault) for token in spoken_of]
        return Noted(
            live.conversation_id,
            self._claims(live, ""),
            facts,
            [c for c in mentioned if c],
            state.customer_id,
            sorted(state.same_as),
        )


def _by_facts(business: Business) -> Identity:
    """The business's rules, each slot by the fact that it is remembered as."""

    def renamed(rule: Proof) -> Proof:
        return rule.model_copy(update={"ask": [fact_name(slot, business.slots[slot]) for slot in rule.ask]})

    rules = business.identity
    return Identity(phone=renamed(rules.phone), email=renamed(rules.email), user_id=renamed(rules.user_id))


def _asks_to_be_erased(state: Conversation) -> bool:
    """Whether a tool of the business has granted the customer's wish to be erased."""
    return any(e.state == "done" and e.result.get(ERASE_CUSTOMER) is True for e in state.effects.values())


def _contacts(text: str) -> list[str]:
    return [match[0] for match in TOKEN.finditer(text) if match[1] in ("EMAIL", "PHONE")]
