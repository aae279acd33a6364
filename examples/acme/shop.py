"""Acme Home's order system: one SQLite file, seeded with 31 orders when it is first opened.

Every change is one transaction, keyed: the same key again changes nothing and returns what the first
call returned. All functions block and belong into a thread.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

Status = Literal["placed", "packed", "shipped", "out_for_delivery", "delivered", "cancelled", "returned", "backordered"]
ReturnRule = Literal["open", "closed", "final_sale"]
"""Whether a delivered order may come back: its 30 days run, are over, or never began."""

Table = Literal["cancellations", "returns", "address_changes", "email_changes", "callbacks"]
Result = dict[str, Any]

NOT_YET_SHIPPED = frozenset({"placed", "packed", "backordered"})
LOCK_WAIT_SECS = 5.0

_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    order_number TEXT PRIMARY KEY, status TEXT NOT NULL, customer TEXT NOT NULL, email TEXT NOT NULL,
    address TEXT NOT NULL, ordered_on TEXT NOT NULL, promised_on TEXT NOT NULL, moved_on TEXT NOT NULL,
    carrier TEXT, tracking_number TEXT, return_rule TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS items (
    order_number TEXT NOT NULL REFERENCES orders, name TEXT NOT NULL, quantity INTEGER NOT NULL,
    price_cents INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS cancellations (
    idempotency_key TEXT NOT NULL UNIQUE, order_number TEXT NOT NULL UNIQUE, at TEXT NOT NULL,
    result TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS returns (
    idempotency_key TEXT NOT NULL UNIQUE, order_number TEXT NOT NULL UNIQUE, reason TEXT NOT NULL,
    at TEXT NOT NULL, result TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS address_changes (
    idempotency_key TEXT NOT NULL UNIQUE, order_number TEXT NOT NULL, address TEXT NOT NULL, at TEXT NOT NULL,
    result TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS email_changes (
    idempotency_key TEXT NOT NULL UNIQUE, order_number TEXT NOT NULL, email TEXT NOT NULL, at TEXT NOT NULL,
    result TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS callbacks (
    idempotency_key TEXT NOT NULL UNIQUE, phone TEXT NOT NULL, day TEXT NOT NULL, at TEXT NOT NULL,
    result TEXT NOT NULL, moved_to TEXT
);
"""


@dataclass(frozen=True)
class Item:
    name: str
    quantity: int
    price_cents: int
    """Of one piece, in US cents."""


@dataclass(frozen=True)
class Order:
    """An order as it stands; dates are ISO."""

    order_number: str
    status: Status
    ordered_on: str
    promised_on: str
    moved_on: str
    """When it came into its status."""
    carrier: str | None
    tracking_number: str | None
    return_rule: ReturnRule
    items: tuple[Item, ...]
    return_registered: bool

    @property
    def total_cents(self) -> int:
        return sum(item.quantity * item.price_cents for item in self.items)


class Shop:
    """The order system in one file. Each call opens it anew, so that any thread may call."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def order(self, order_number: str) -> Order | None:
        """The order of that number."""
        with self._open() as database:
            return _read(database, order_number)

    def change(self, table: Table, key: str, values: dict[str, str], decide: Callable[[Change], Result]) -> Result:
        """Make one change and record it in `table` with its result.

        `decide` looks, changes and returns the result; what it raises undoes all. A key that the
        table knows already returns the recorded result without another look.
        """
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            known = database.execute(f"SELECT result FROM {table} WHERE idempotency_key = ?", (key,)).fetchone()
            if known:
                return cast(Result, json.loads(known["result"]))
            result = decide(Change(database))
            row = {"idempotency_key": key, **values, "result": json.dumps(result)}
            columns, marks = ", ".join(row), ", ".join("?" * len(row))
            database.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(row.values()))
            database.execute("COMMIT")
            return result

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection whose closing undoes what was not committed."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=LOCK_WAIT_SECS, isolation_level=None)) as database:
            database.row_factory = sqlite3.Row
            if _version(database) < _VERSION:
                _seed(database)
            yield database


class Change:
    """What a change may do inside its transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def order(self, order_number: str) -> Order | None:
        return _read(self._database, order_number)

    def set_status(self, order_number: str, status: Status, on: str) -> None:
        self._update(order_number, "status = ?, moved_on = ?", status, on)

    def set_address(self, order_number: str, address: str) -> None:
        self._update(order_number, "address = ?", address)

    def set_email(self, order_number: str, email: str) -> None:
        self._update(order_number, "email = ?", email)

    def move_callback(self, phone: str, day: str) -> bool:
        """Let the booked call-back to a number give way to another day; False where none is booked."""
        moved = self._database.execute(
            "UPDATE callbacks SET moved_to = ? WHERE phone = ? AND moved_to IS NULL", (day, phone)
        )
        return moved.rowcount > 0

    def count(self, table: Table) -> int:
        return int(self._database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def _update(self, order_number: str, assignment: str, *values: str) -> None:
        self._database.execute(f"UPDATE orders SET {assignment} WHERE order_number = ?", (*values, order_number))


def _read(database: sqlite3.Connection, order_number: str) -> Order | None:
    row = database.execute("SELECT * FROM orders WHERE order_number = ?", (order_number,)).fetchone()
    if row is None:
        return None
    items = database.execute("SELECT name, quantity, price_cents FROM items WHERE order_number = ?", (order_number,))
    returned = database.execute("SELECT 1 FROM returns WHERE order_number = ?", (order_number,)).fetchone()
    return Order(
        order_number=row["order_number"],
        status=row["status"],
        ordered_on=row["ordered_on"],
        promised_on=row["promised_on"],
        moved_on=row["moved_on"],
        carrier=row["carrier"],
        tracking_number=row["tracking_number"],
        return_rule=row["return_rule"],
        items=tuple(Item(item["name"], item["quantity"], item["price_cents"]) for item in items),
        return_registered=returned is not None,
    )


def _seed(database: sqlite3.Connection) -> None:
    """Tables and orders in one transaction, so that two first callers cannot meet half a shop."""
    database.execute("BEGIN IMMEDIATE")
    if _version(database) == 0:
        for statement in filter(str.strip, _SCHEMA.split(";")):
            database.execute(statement)
        for order_number, status, dates, carrier, rule, goods in _ORDERS:
            _insert(database, order_number, status, dates, carrier, rule, goods)
    elif _version(database) == 1:
        database.execute("ALTER TABLE callbacks ADD COLUMN moved_to TEXT")
    database.execute(f"PRAGMA user_version = {_VERSION}")
    database.execute("COMMIT")


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _insert(
    database: sqlite3.Connection,
    order_number: str,
    status: Status,
    dates: tuple[str, str, str],
    carrier: str | None,
    rule: ReturnRule,
    goods: tuple[tuple[str, int], ...],
) -> None:
    name, street = _CUSTOMERS[int(order_number) % len(_CUSTOMERS)]
    email = f"{name.lower().replace(' ', '.')}@example.com"
    tracking = f"AH{order_number}{carrier[0]}US" if carrier else None
    row = (order_number, status, name, email, street, *dates, carrier, tracking, rule)
    database.execute(f"INSERT INTO orders VALUES ({', '.join('?' * len(row))})", row)
    for item, quantity in goods:
        database.execute("INSERT INTO items VALUES (?, ?, ?, ?)", (order_number, item, quantity, _PRICES_CENTS[item]))


_PRICES_CENTS = {
    "Juniper kettle": 7900,
    "Brewster coffee machine": 34900,
    "Wren grinder": 12900,
    "Halo lamp": 6500,
    "Kestrel chef's knife": 8900,
    "Kestrel knife set": 24900,
    "Nimbus duvet": 15900,
    "Lark pillow": 4500,
    "Nimbus sheet set": 9900,
    "Tern skillet": 5900,
    "Marlow toaster": 8500,
    "Linden cutting board": 4200,
}

_CUSTOMERS = (
    ("Rosa Whitfield", "17 Chestnut Street, Albany, NY 12207"),
    ("Theo Lindqvist", "305 Harbor Road, Portland, ME 04101"),
    ("Maya Castellano", "92 Orchard Lane, Hartford, CT 06103"),
    ("Dwight Okafor", "1440 Pine Avenue, Pittsburgh, PA 15222"),
    ("Ines Barreto", "8 Lighthouse Way, Newport, RI 02840"),
    ("Samuel Trask", "661 Willow Drive, Columbus, OH 43215"),
    ("Priya Raman", "27 Beacon Court, Richmond, VA 23219"),
)

_Seed = tuple[str, Status, tuple[str, str, str], str | None, ReturnRule, tuple[tuple[str, int], ...]]

# fmt: off
_ORDERS: tuple[_Seed, ...] = (
    # number, status, (ordered, promised, came into this status), carrier, may it come back, goods
    ("10001", "placed", ("2026-11-23", "2026-12-01", "2026-11-23"), None, "closed", (("Juniper kettle", 1),)),
    ("10002", "placed", ("2026-11-23", "2026-12-01", "2026-11-23"), None, "closed", (("Halo lamp", 2),)),
    ("10003", "placed", ("2026-11-24", "2026-12-02", "2026-11-24"), None, "closed",
     (("Brewster coffee machine", 1), ("Wren grinder", 1))),
    ("10004", "packed", ("2026-11-20", "2026-11-30", "2026-11-23"), None, "closed",
     (("Kestrel knife set", 1),)),
    ("10005", "packed", ("2026-11-21", "2026-11-30", "2026-11-24"), None, "closed",
     (("Nimbus duvet", 1), ("Lark pillow", 2))),
    ("10006", "shipped", ("2026-11-18", "2026-11-27", "2026-11-20"), "UPS", "closed", (("Tern skillet", 1),)),
    ("10007", "shipped", ("2026-11-18", "2026-11-27", "2026-11-21"), "FedEx", "closed",
     (("Marlow toaster", 1),)),
    ("10008", "delivered", ("2026-11-09", "2026-11-17", "2026-11-16"), "UPS", "open", (("Halo lamp", 1),)),
    ("10009", "delivered", ("2026-11-10", "2026-11-18", "2026-11-17"), "USPS", "open",
     (("Linden cutting board", 1), ("Kestrel chef's knife", 1))),
    ("10010", "delivered", ("2026-08-17", "2026-08-25", "2026-08-24"), "UPS", "closed",
     (("Nimbus sheet set", 2),)),
    ("10011", "backordered", ("2026-11-14", "2026-12-23", "2026-11-14"), None, "closed",
     (("Brewster coffee machine", 1),)),
    ("10012", "out_for_delivery", ("2026-11-17", "2026-11-25", "2026-11-24"), "UPS", "closed",
     (("Juniper kettle", 1),)),
    ("10013", "cancelled", ("2026-11-12", "2026-11-20", "2026-11-13"), None, "closed", (("Halo lamp", 3),)),
    ("10014", "returned", ("2026-10-19", "2026-10-27", "2026-11-11"), "UPS", "closed",
     (("Marlow toaster", 1),)),
    ("10015", "delivered", ("2026-11-11", "2026-11-19", "2026-11-19"), "FedEx", "open",
     (("Brewster coffee machine", 1),)),
    ("10016", "placed", ("2026-11-24", "2026-12-02", "2026-11-24"), None, "closed", (("Lark pillow", 4),)),
    ("10017", "packed", ("2026-11-23", "2026-11-30", "2026-11-24"), None, "closed", (("Wren grinder", 1),)),
    ("10018", "shipped", ("2026-11-19", "2026-11-30", "2026-11-23"), "USPS", "closed",
     (("Linden cutting board", 2),)),
    ("10019", "delivered", ("2026-11-04", "2026-11-12", "2026-11-12"), "UPS", "final_sale",
     (("Nimbus duvet", 1),)),
    ("10020", "out_for_delivery", ("2026-11-17", "2026-11-25", "2026-11-24"), "FedEx", "closed",
     (("Kestrel chef's knife", 1),)),
    ("10021", "placed", ("2026-11-24", "2026-12-03", "2026-11-24"), None, "closed",
     (("Tern skillet", 1), ("Linden cutting board", 1))),
    ("10022", "shipped", ("2026-11-20", "2026-11-30", "2026-11-24"), "UPS", "closed",
     (("Nimbus sheet set", 1), ("Lark pillow", 2))),
    ("10023", "backordered", ("2026-11-16", "2026-12-29", "2026-11-16"), None, "closed",
     (("Kestrel knife set", 1),)),
    ("10024", "cancelled", ("2026-11-16", "2026-11-24", "2026-11-16"), None, "closed",
     (("Wren grinder", 1),)),
    ("10025", "delivered", ("2026-11-12", "2026-11-20", "2026-11-20"), "UPS", "open",
     (("Juniper kettle", 2),)),
    ("10026", "returned", ("2026-10-05", "2026-10-13", "2026-10-30"), "USPS", "closed",
     (("Lark pillow", 1),)),
    ("10027", "delivered", ("2026-07-29", "2026-08-06", "2026-08-05"), "FedEx", "closed",
     (("Wren grinder", 1),)),
    ("10028", "packed", ("2026-11-23", "2026-12-01", "2026-11-24"), None, "closed",
     (("Marlow toaster", 1), ("Juniper kettle", 1))),
    ("10029", "shipped", ("2026-11-21", "2026-12-01", "2026-11-24"), "FedEx", "closed", (("Halo lamp", 1),)),
    ("10030", "delivered", ("2026-11-13", "2026-11-23", "2026-11-21"), "UPS", "open",
     (("Tern skillet", 1), ("Kestrel knife set", 1))),
    ("12345", "shipped", ("2026-11-19", "2026-11-27", "2026-11-23"), "UPS", "closed",
     (("Juniper kettle", 1), ("Halo lamp", 2))),
)
# fmt: on
