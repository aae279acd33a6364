from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.errors import ToolProblem
from agent.tools.registry import Tool

from .conftest import MONDAY_MORNING, Call

pytestmark = pytest.mark.asyncio

ORDER_NUMBERS = [*(str(number) for number in range(10001, 10031)), "12345"]
STATES = {
    "placed", "packed", "shipped", "out_for_delivery", "delivered", "cancelled", "returned", "backordered"
}  # fmt: skip
EFFECTS = [
    ("cancel_order", "cancellations", {"order_number": "10001"}),
    ("start_return", "returns", {"order_number": "10008", "reason": "damaged"}),
    (
        "change_address",
        "address_changes",
        {"order_number": "10002", "address": "48 Maple Avenue, Troy, NY 12180"},
    ),
    ("update_email", "email_changes", {"order_number": "10003", "email": "new@example.com"}),
    ("book_callback", "callbacks", {"phone": "+1 617 555 0123", "day": "2026-12-01"}),
]


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        return database.execute(query).fetchall()


async def refusal(call: Call, name: str, **arguments: Any) -> ToolProblem:
    with pytest.raises(ToolProblem) as caught:
        await call(name, **arguments)
    return caught.value


async def test_the_shop_holds_orders_in_every_state(call: Call) -> None:
    orders = [await call("order_status", order_number=number) for number in ORDER_NUMBERS]
    assert {order["status"] for order in orders} == STATES
    for order in orders:
        assert order["order_number"] in order["says"]
        assert order["items"] and order["total"].startswith("$")


async def test_the_status_of_a_shipped_order_names_carrier_goods_and_dates(call: Call) -> None:
    order = await call("order_status", order_number="12345")
    assert order["says"] == (
        "Order 12345 shipped on November 23 with UPS: a Juniper kettle and 2 Halo lamps. "
        "Its promised delivery date is November 27."
    )
    assert (order["carrier"], order["promised_on"], order["total"]) == ("UPS", "2026-11-27", "$209.00")


async def test_goods_reach_the_warehouse_door_before_their_promised_date(call: Call) -> None:
    for number in ORDER_NUMBERS:
        order = await call("order_status", order_number=number)
        assert order["ordered_on"] < order["promised_on"]
        assert bool(order["carrier"]) == (order["status"] in {"shipped", "out_for_delivery", "delivered", "returned"})


async def test_an_unknown_order_is_not_found(call: Call) -> None:
    problem = await refusal(call, "order_status", order_number="99999")
    assert problem.kind == "not_found" and "99999" in problem.says


@pytest.mark.parametrize("number", ["10001", "10004", "10011"])
async def test_an_order_in_the_warehouse_can_be_cancelled(call: Call, tmp_path: Path, number: str) -> None:
    result = await call("cancel_order", order_number=number)
    assert number in result["says"] and result["status"] == "cancelled"
    assert (await call("order_status", order_number=number))["status"] == "cancelled"
    assert rows(tmp_path, "SELECT order_number FROM cancellations") == [(number,)]


@pytest.mark.parametrize(
    ("number", "instead"),
    [
        ("12345", "send it back"),
        ("10012", "send it back"),
        ("10008", "start a return"),
        ("10010", "colleague"),
        ("10013", "already cancelled"),
        ("10014", "nothing to cancel"),
    ],
)
async def test_what_cannot_be_cancelled_says_what_can_be_done(
    call: Call, tmp_path: Path, number: str, instead: str
) -> None:
    before = (await call("order_status", order_number=number))["status"]
    problem = await refusal(call, "cancel_order", order_number=number)
    assert problem.kind == "not_allowed" and instead in problem.says
    assert (await call("order_status", order_number=number))["status"] == before
    assert rows(tmp_path, "SELECT * FROM cancellations") == []


async def test_a_return_of_a_delivered_order_is_registered_with_its_reason(call: Call, tmp_path: Path) -> None:
    result = await call("start_return", order_number="10015", reason="faulty")
    assert result["return_number"] == "R10015"
    assert rows(tmp_path, "SELECT order_number, reason FROM returns") == [("10015", "faulty")]
    assert "return is registered" in (await call("order_status", order_number="10015"))["says"]


@pytest.mark.parametrize(
    ("number", "reason", "word"),
    [
        ("10001", "damaged", "cancel it instead"),
        ("12345", "damaged", "once it has arrived"),
        ("10013", "damaged", "was cancelled"),
        ("10014", "damaged", "refunded"),
        ("10010", "changed my mind", "colleague"),
        ("10010", "faulty", "warranty"),
        ("10019", "changed my mind", "final sale"),
    ],
)
async def test_a_return_that_the_rules_forbid_is_refused(
    call: Call, tmp_path: Path, number: str, reason: str, word: str
) -> None:
    problem = await refusal(call, "start_return", order_number=number, reason=reason)
    assert problem.kind == "not_allowed" and word in problem.says
    assert rows(tmp_path, "SELECT * FROM returns") == []


async def test_a_final_sale_comes_back_when_it_is_our_fault(call: Call) -> None:
    assert (await call("start_return", order_number="10019", reason="wrong item"))["return_number"] == "R10019"


async def test_a_second_return_of_the_same_order_is_refused(call: Call) -> None:
    await call("start_return", order_number="10008", reason="damaged")
    problem = await refusal(call, "start_return", order_number="10008", reason="faulty")
    assert problem.kind == "not_allowed" and "R10008" in problem.says


@pytest.mark.parametrize("number", ["10001", "10005", "10023"])
async def test_the_address_changes_until_the_order_ships(call: Call, tmp_path: Path, number: str) -> None:
    address = "48 Maple Avenue, Troy, NY 12180"
    result = await call("change_address", order_number=number, address=address)
    assert address not in json.dumps(result)
    assert rows(tmp_path, f"SELECT address FROM orders WHERE order_number = '{number}'") == [(address,)]
    assert rows(tmp_path, "SELECT order_number, address FROM address_changes") == [(number, address)]


@pytest.mark.parametrize("number", ["12345", "10020", "10008", "10013", "10026"])
async def test_the_address_of_an_order_that_left_stays(call: Call, tmp_path: Path, number: str) -> None:
    arguments = {"order_number": number, "address": "48 Maple Avenue, Troy, NY 12180"}
    problem = await refusal(call, "change_address", **arguments)
    assert problem.kind == "not_allowed" and number in problem.says
    assert rows(tmp_path, "SELECT * FROM address_changes") == []


async def test_half_an_address_is_invalid(call: Call) -> None:
    assert (await refusal(call, "change_address", order_number="10001", address="Maple Avenue")).kind == "invalid"


async def test_the_email_of_an_order_changes_and_is_not_repeated(call: Call, tmp_path: Path) -> None:
    result = await call("update_email", order_number="12345", email="new@example.com")
    assert "new@example.com" not in json.dumps(result)
    assert rows(tmp_path, "SELECT email FROM orders WHERE order_number = '12345'") == [("new@example.com",)]


@pytest.mark.parametrize(
    ("number", "email", "kind"), [("10013", "a@b.com", "not_allowed"), ("10001", "a@b", "invalid")]
)
async def test_an_email_change_that_cannot_be_is_refused(call: Call, number: str, email: str, kind: str) -> None:
    assert (await refusal(call, "update_email", order_number=number, email=email)).kind == kind


async def test_a_call_back_is_booked_for_its_day(call: Call, tmp_path: Path) -> None:
    result = await call("book_callback", phone="617-555-0123", day="2026-12-05")
    assert "December 5" in result["says"] and "617" not in json.dumps(result)
    assert rows(tmp_path, "SELECT phone, day FROM callbacks") == [("617-555-0123", "2026-12-05")]


async def test_a_second_call_back_to_a_number_takes_the_place_of_the_first(call: Call, tmp_path: Path) -> None:
    await call("book_callback", phone="617-555-0123", day="2026-12-05")
    result = await call("book_callback", phone="617-555-0123", day="2026-12-07")
    assert "moved to" in result["says"]
    assert rows(tmp_path, "SELECT day FROM callbacks WHERE moved_to IS NULL") == [("2026-12-07",)]


@pytest.mark.parametrize(
    ("phone", "day", "kind"),
    [
        ("617-555-0123", "2026-12-06", "not_allowed"),
        ("617-555-0123", "2026-11-28", "invalid"),
        ("617-555-0123", "2026-12-15", "not_allowed"),
        ("617-555-0123", "soon", "invalid"),
        ("555-0123", "2026-12-01", "invalid"),
    ],
)
async def test_a_day_or_number_that_does_not_serve_is_refused(
    call: Call, tmp_path: Path, phone: str, day: str, kind: str
) -> None:
    assert (await refusal(call, "book_callback", phone=phone, day=day)).kind == kind
    assert not (tmp_path / "shop.db").exists()


@pytest.mark.parametrize("day", ["2026-05-25", "2026-07-04", "2026-09-07", "2026-11-26", "2026-12-25", "2027-01-01"])
async def test_nobody_calls_on_the_holidays_of_the_contact_page(call: Call, day: str) -> None:
    holiday = MONDAY_MORNING.fromisoformat(f"{day}T10:00:00-05:00")
    problem = await refusal(call, "book_callback", phone="617-555-0123", day=day, now=holiday - timedelta(days=2))
    assert problem.kind == "not_allowed" and "off on" in problem.says


async def test_nobody_calls_today_after_hours(call: Call) -> None:
    evening = MONDAY_MORNING.replace(hour=18)
    arguments = {"phone": "617-555-0123", "day": "2026-11-30"}
    assert (await refusal(call, "book_callback", now=evening, **arguments)).kind == "not_allowed"
    assert (await call("book_callback", **arguments))["day"] == "2026-11-30"


@pytest.mark.parametrize(("name", "table", "arguments"), EFFECTS)
async def test_a_repeated_call_returns_the_first_result_and_happens_once(
    call: Call, tmp_path: Path, name: str, table: str, arguments: dict[str, str]
) -> None:
    first = await call(name, key="same", **arguments)
    later = MONDAY_MORNING + timedelta(minutes=5)
    assert await call(name, key="same", now=later, **arguments) == first
    assert rows(tmp_path, f"SELECT count(*) FROM {table}") == [(1,)]


async def test_simultaneous_repeats_on_a_shop_not_opened_yet_happen_once(call: Call, tmp_path: Path) -> None:
    calls = [call("cancel_order", key="same", order_number="10001") for _ in range(6)]
    results = await asyncio.gather(*calls)
    assert all(result == results[0] for result in results)
    assert rows(tmp_path, "SELECT count(*) FROM cancellations") == [(1,)]
    assert rows(tmp_path, "SELECT count(*) FROM orders") == [(len(ORDER_NUMBERS),)]


async def test_two_customers_cannot_both_cancel_one_order(call: Call, tmp_path: Path) -> None:
    calls = [call("cancel_order", order_number="10002") for _ in range(4)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert sorted(isinstance(outcome, ToolProblem) for outcome in outcomes) == [False, True, True, True]
    assert rows(tmp_path, "SELECT count(*) FROM cancellations") == [(1,)]


async def test_an_order_system_that_cannot_be_opened_is_a_plain_word(call: Call, tmp_path: Path) -> None:
    (tmp_path / "shop.db").mkdir()
    problem = await refusal(call, "order_status", order_number="12345")
    assert problem.kind == "down" and "order system" in problem.says


async def test_effects_ask_first_and_looking_does_not(tools: Mapping[str, Tool]) -> None:
    assert {name for name, tool in tools.items() if tool.effect == "once" and tool.confirm} == {e[0] for e in EFFECTS}
    assert (tools["order_status"].effect, tools["order_status"].confirm) == ("safe", "")
