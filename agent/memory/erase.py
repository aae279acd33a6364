"""Erasure: everything that is kept of a customer, wherever it stands. A second run finds nothing.

    1. their conversations are closed off: nothing is noted of them any more, sessions that carry them end
    2. each conversation is forgotten: the vault's key first, then journal, turn log, tokens, leases
    3. recordings that are called like the conversation or one of its calls
    4. the memory's own rows, the customer's key first

A run that was cut off leaves the memory's rows to the last, so that the next one finds what is left.
Vectors and caches on disk hold the business's pages and examples, never what a customer said; hot copies of a
journal go with it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from agent import events as ev
from agent.memory.customers import Customers
from agent.memory.identity import anyhow
from agent.memory.records import Traces
from agent.store.passing import Home

RECORDINGS = ("recordings", "calls")
"""Folders of DATA_DIR with the sound and the transcript of calls; lab/call.py writes the second."""
_ALL_TURNS = 1_000_000


@dataclass
class Report:
    """How much of what was removed."""

    customers: int = 0
    identifiers: int = 0
    facts: int = 0
    conversations: int = 0
    events: int = 0
    turns: int = 0
    vault_keys: int = 0
    personal_values: int = 0
    recordings: int = 0

    @property
    def nothing(self) -> bool:
        return not any(asdict(self).values())


@dataclass(frozen=True)
class Stores:
    """Where a customer leaves traces."""

    customers: Customers
    journal: Home
    data_dir: Path


async def erase_customer(customer: str, stores: Stores, *, region: str, now: float) -> tuple[Report, Sequence[str]]:
    """Erase a customer by id, e-mail address, telephone number or user id; the report and the conversations.

    `region` says how numbers without a country code are read. Raises ProviderError where a store does not
    deliver: run it again then.
    """
    traces = await stores.customers.traces(customer, anyhow(customer, region))
    return await _erase(traces, stores, now), traces.conversation_ids


async def erase_conversation(conversation_id: str, stores: Stores, *, now: float) -> Report:
    """Erase a conversation, and the customer to whom it belongs. Raises ProviderError."""
    customer_id = await stores.customers.customer_of(conversation_id)
    traces = await stores.customers.traces(customer_id, []) if customer_id else Traces()
    if conversation_id not in traces.conversation_ids:
        traces.conversation_ids.append(conversation_id)
    return await _erase(traces, stores, now)


async def _erase(traces: Traces, stores: Stores, now: float) -> Report:
    report = Report(len(traces.customer_ids), traces.identifiers, traces.facts)
    await stores.customers.close_off(traces.conversation_ids, now)
    for conversation_id in traces.conversation_ids:
        await _forget(conversation_id, stores.journal, stores.data_dir, report)
    if not report.nothing:
        await stores.customers.remove(traces)
    return report


async def _forget(conversation_id: str, journal: Home, data_dir: Path, report: Report) -> None:
    events = await journal.read(conversation_id)
    sessions = {e.session_id for e in events if isinstance(e, ev.SessionJoined) and e.session_id}
    report.conversations += 1
    report.events += len(events)
    report.turns += len(await journal.turn_log(conversation_id, limit=_ALL_TURNS))
    report.vault_keys += await journal.vault_key(conversation_id) is not None
    report.personal_values += len(await journal.vault_values(conversation_id))
    await journal.forget(conversation_id)
    report.recordings += await asyncio.to_thread(_remove_recordings, data_dir, {conversation_id, *sessions})


def _remove_recordings(data_dir: Path, names: set[str]) -> int:
    """Remove every file and folder of one of the names; how many files these were."""
    removed = 0
    for folder in (data_dir / name for name in RECORDINGS):
        found = [path for path in sorted(folder.rglob("*")) if names & {path.name, path.stem}]
        for path in found:
            removed += sum(inner.is_file() for inner in path.rglob("*")) if path.is_dir() else path.is_file()
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return removed
