"""`scripts/memory`: lists, shows and erases remembered customers, beside a running server or without one."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from agent.business import Business
from agent.errors import OpenlineError
from agent.loading import load_business
from agent.memory.customers import Customers
from agent.memory.erase import Stores, erase_customer
from agent.memory.facts import TITLES, strength
from agent.memory.identity import anyhow
from agent.memory.records import Customer
from agent.memory.sealing import Sealing
from agent.store.database import Database
from pipelines.journal import open_journal, vault_key
from pipelines.logs import configure_logs
from pipelines.settings import Settings, setting_faults

EPILOGUE = """CUSTOMER is an id from the list, an e-mail address, a telephone number or a user id.
Exit codes: 0 done, 1 nothing is kept of that customer or a store cannot be used, 2 wrong arguments."""


def main() -> int:
    arguments = _arguments()
    given = {k: v for k, v in vars(arguments).items() if v is not None and k in ("business", "data_dir")}
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    try:
        settings = Settings(**given)
        configure_logs(settings.log_level)
        return asyncio.run(_run(settings, arguments.what, getattr(arguments, "customer", ""), console))
    except ValidationError as fault:
        console.print(setting_faults(fault), style="red", markup=False)
    except (OpenlineError, ValueError) as fault:
        console.print(str(fault), style="red", markup=False)
    except OSError as fault:
        console.print(f"The data folder cannot be used: {fault.strerror}. Try --data-dir.", style="red", markup=False)
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "scripts/memory",
        description="What is remembered of customers over their conversations.",
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--business", type=Path, help="the business's folder; default examples/acme, or BUSINESS")
    parser.add_argument("--data-dir", type=Path, help="where data is kept; default ./var, or DATA_DIR")
    what = parser.add_subparsers(dest="what", required=True, metavar="list|show|erase")
    what.add_parser("list", help="every customer, the one seen last first")
    for name, told in (
        ("show", "all that is remembered of a customer, with its sources"),
        ("erase", "remove everything that is kept of a customer, conversations and recordings too"),
    ):
        what.add_parser(name, help=told).add_argument("customer", metavar="CUSTOMER")
    return parser.parse_args()


async def _run(settings: Settings, what: str, customer: str, console: Console) -> int:
    business, _ = load_business(settings.business)
    if not settings.database_url and not (settings.data_dir / "openline.db").exists():
        console.print(f"Nothing is kept in {settings.data_dir} yet; name another folder with --data-dir.", markup=False)
        return 0 if what == "list" else 1
    key = vault_key(settings)
    journal, database = await open_journal(settings, clock=time.time), Database(settings.journal_url)
    try:
        customers = await Customers.open(database, Sealing(key))
        match what:
            case "list":
                return await _list(customers, console)
            case "show":
                return await _show(customers, business, customer, console)
            case _:
                return await _erase(Stores(customers, journal, settings.data_dir), business, customer, console)
    finally:
        await journal.close()
        await database.close()


async def _list(customers: Customers, console: Console) -> int:
    table = Table("id", "known by", "facts", "conversations", "last seen")
    for one in await customers.load(await customers.everyone(), time.time()):
        known_by = ", ".join(value for _, value in one.identifiers)
        table.add_row(one.customer_id, known_by, str(len(one.facts)), str(len(one.conversations)), _day(one.seen_at))
    console.print(table if table.row_count else "No customer is remembered.")
    return 0


async def _show(customers: Customers, business: Business, customer: str, console: Console) -> int:
    found = await customers.load(await customers.find(customer, anyhow(customer, business.region)), now := time.time())
    for one in found:
        console.print(_facts(one, business, now))
        console.print(f"Conversations: {', '.join(one.conversations) or 'none'}\n", markup=False)
    return 0 if found else _unknown(customer, console)


def _facts(one: Customer, business: Business, now: float) -> Table:
    table = Table("what", "value", "said on", "in conversation", "fades", title=f"Customer {one.customer_id}")
    for kind, value in one.identifiers:
        table.add_row(TITLES.get(kind, kind.replace("_", " ")), value, "", "", "")
    for fact in one.facts:
        slot = business.slots.get(fact.name)
        title = TITLES.get(fact.name) or (slot.title if slot else fact.name)
        faded = f"{strength(fact.name, fact.at, now):.0%}"
        table.add_row(title, fact.value, _day(fact.at), fact.conversation_id, faded)
    return table


async def _erase(stores: Stores, business: Business, customer: str, console: Console) -> int:
    report, _ = await erase_customer(customer, stores, region=business.region, now=time.time())
    if report.nothing:
        return _unknown(customer, console)
    table = Table("removed", "how many")
    for name, count in asdict(report).items():
        table.add_row(name.replace("_", " "), str(count))
    console.print(table)
    return 0


def _unknown(customer: str, console: Console) -> int:
    console.print(f"Nothing is kept of {customer}.", markup=False)
    return 1


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M}"


if __name__ == "__main__":
    sys.exit(main())
