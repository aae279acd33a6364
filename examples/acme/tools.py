"""What Ada can do at Acme Home: look up, cancel and return orders, correct them, book call-backs."""

from __future__ import annotations

import asyncio
import importlib.util
import sqlite3
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from agent.errors import ToolProblem
from agent.tools.registry import ToolContext, tool

if TYPE_CHECKING:
    from examples.acme import shop
    from examples.acme.shop import Change, Order, Shop


def _module_beside(name: str) -> ModuleType:
    """The module of that name in this folder, wherever the folder stands and whatever else is called so."""
    unique = f"{__name__}_{name}"
    spec = importlib.util.spec_from_file_location(unique, Path(__file__).with_name(f"{name}.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    spec.loader.exec_module(module)
    return module


if not TYPE_CHECKING:
    shop = _module_beside("shop")

CALLBACK_DAYS_AHEAD = 14
CALLS_END_HOUR = 18
MIN_PHONE_DIGITS = 10

Reason = Literal["damaged", "faulty", "wrong item", "missing parts", "changed my mind", "another reason"]
_OUR_FAULT = frozenset({"damaged", "faulty", "wrong item", "missing parts"})
_T = TypeVar("_T")


@tool(effect="safe", says="Let me look that up.")
async def order_status(context: ToolContext, order_number: str) -> dict[str, Any]:
    """Tell where an order is: its status, goods, carrier and promised date.

    Args:
        order_number: The five-digit order number.
    """
    order = await _in_thread(lambda: _shop(context).order(order_number))
    return _facts(_found(order, order_number))


@tool(effect="once", keyed=True, confirm="Shall I cancel order {order_number}?", says="One moment, I am cancelling it.")
async def cancel_order(context: ToolContext, order_number: str) -> dict[str, Any]:
    """Cancel a whole order that has not left the warehouse.

    Args:
        order_number: The five-digit order number.
    """

    def cancel(change: Change) -> dict[str, Any]:
        order = _found(change.order(order_number), order_number)
        if order.status not in shop.NOT_YET_SHIPPED:
            raise ToolProblem("not_allowed", _why_not_cancelled(order))
        change.set_status(order_number, "cancelled", _today(context))
        says = f"Order {order_number} is cancelled. The hold on your payment is released within 5 business days."
        return {"says": says, "order_number": order_number, "status": "cancelled"}

    return await _change(context, "cancellations", {"order_number": order_number}, cancel)


@tool(
    effect="once",
    keyed=True,
    confirm="Shall I start a return for order {order_number}, reason: {reason}?",
    says="One moment, I am setting up the return.",
)
async def start_return(context: ToolContext, order_number: str, reason: Reason) -> dict[str, Any]:
    """Register the return of a delivered order, so that the customer gets a prepaid label.

    Args:
        order_number: The five-digit order number.
        reason: Why it comes back.
    """

    def register(change: Change) -> dict[str, Any]:
        order = _found(change.order(order_number), order_number)
        refused = _why_not_returned(order, reason)
        if refused:
            raise ToolProblem("not_allowed", refused)
        number = f"R{order_number}"
        says = f"Return {number} is registered. The prepaid label goes to the e-mail address on the order."
        return {"says": says, "order_number": order_number, "return_number": number, "reason": reason}

    return await _change(context, "returns", {"order_number": order_number, "reason": reason}, register)


@tool(
    effect="once",
    keyed=True,
    confirm="Shall I send order {order_number} to {address}?",
    says="One moment, I am changing the address.",
)
async def change_address(context: ToolContext, order_number: str, address: str) -> dict[str, Any]:
    """Change where an order goes, as long as it has not left the warehouse.

    Args:
        order_number: The five-digit order number.
        address: The full new address in one line: street, city, state and ZIP code.
    """
    if not _looks_complete(address):
        raise ToolProblem(
            "invalid",
            "That address is not complete. I need the street, the city, the state and the ZIP code.",
        )

    def readdress(change: Change) -> dict[str, Any]:
        order = _found(change.order(order_number), order_number)
        if order.status not in shop.NOT_YET_SHIPPED:
            raise ToolProblem("not_allowed", _why_not_readdressed(order))
        change.set_address(order_number, address)
        return {"says": f"Order {order_number} now goes to the new address.", "order_number": order_number}

    return await _change(context, "address_changes", {"order_number": order_number, "address": address}, readdress)


@tool(
    effect="once",
    keyed=True,
    confirm="Shall I use {email} for order {order_number} from now on?",
    says="One moment, I am changing the e-mail address.",
)
async def update_email(context: ToolContext, order_number: str, email: str) -> dict[str, Any]:
    """Change the e-mail address that gets the messages about an order.

    Args:
        order_number: The five-digit order number.
        email: The new e-mail address.
    """
    name, _, domain = email.partition("@")
    if not name or "." not in domain.strip("."):
        raise ToolProblem("invalid", "That does not look like an e-mail address. Could you give it once more?")

    def readdress(change: Change) -> dict[str, Any]:
        order = _found(change.order(order_number), order_number)
        if order.status == "cancelled":
            raise ToolProblem("not_allowed", f"Order {order_number} is cancelled, so we send no more e-mails about it.")
        change.set_email(order_number, email)
        says = f"Everything about order {order_number} goes to the new e-mail address from now on."
        return {"says": says, "order_number": order_number}

    return await _change(context, "email_changes", {"order_number": order_number, "email": email}, readdress)


@tool(
    effect="once",
    keyed=True,
    confirm="Shall I book a call-back to {phone} on {day}?",
    says="One moment, I am booking the call.",
)
async def book_callback(context: ToolContext, phone: str, day: str) -> dict[str, Any]:
    """Book a call from the care team, Monday to Saturday within the next two weeks.

    Args:
        phone: The customer's phone number with its area code.
        day: The day of the call, as an ISO date such as 2026-12-01.
    """
    if sum(ch.isdigit() for ch in phone) < MIN_PHONE_DIGITS:
        raise ToolProblem(
            "invalid", "That phone number is too short. I need all ten digits, starting with the area code."
        )
    on = _callback_day(day, context.now)

    def book(change: Change) -> dict[str, Any]:
        number = f"C{change.count('callbacks') + 1:04d}"
        done = "moved to" if change.move_callback(phone, on.isoformat()) else "booked for"
        says = f"Your call-back is {done} {_spoken(on.isoformat())}, between 9 a.m. and 6 p.m. Eastern."
        return {"says": says, "callback_number": number, "day": on.isoformat()}

    return await _change(context, "callbacks", {"phone": phone, "day": on.isoformat()}, book)


def _shop(context: ToolContext) -> Shop:
    return shop.Shop(context.data_dir / "shop.db")


async def _change(
    context: ToolContext,
    table: shop.Table,
    values: dict[str, str],
    decide: Callable[[Change], dict[str, Any]],
) -> dict[str, Any]:
    recorded = {**values, "at": context.now.isoformat()}
    return await _in_thread(lambda: _shop(context).change(table, context.idempotency_key, recorded, decide))


async def _in_thread(work: Callable[[], _T]) -> _T:
    """The work in a thread; a database that cannot be used becomes a plain word to the customer."""
    try:
        return await asyncio.to_thread(work)
    except sqlite3.OperationalError as fault:
        says = "I cannot reach our order system right now. Please try again in a few minutes."
        raise ToolProblem("busy" if "locked" in str(fault) else "down", says) from fault


def _today(context: ToolContext) -> str:
    return context.now.date().isoformat()


def _found(order: Order | None, order_number: str) -> Order:
    if order is None:
        raise ToolProblem(
            "not_found",
            f"I find no order {order_number}. "
            "The number has five digits and stands at the top of your confirmation e-mail.",
        )
    return order


def _facts(order: Order) -> dict[str, Any]:
    """An order for the customer: what is said, and the data behind it. No personal data."""
    return {
        "says": _status_sentence(order),
        "order_number": order.order_number,
        "status": order.status,
        "items": [{"name": i.name, "quantity": i.quantity, "price": _dollars(i.price_cents)} for i in order.items],
        "total": _dollars(order.total_cents),
        "ordered_on": order.ordered_on,
        "promised_on": order.promised_on,
        "carrier": order.carrier,
        "tracking_number": order.tracking_number,
        "return_registered": order.return_registered,
    }


def _status_sentence(order: Order) -> str:
    since, total = _spoken(order.moved_on), _dollars(order.total_cents)
    promised = f"Its promised delivery date is {_spoken(order.promised_on)}."
    registered = "A return is registered for it." if order.return_registered else ""
    sentences: dict[shop.Status, tuple[str, str]] = {
        "placed": ("is placed and waits to be packed", promised),
        "packed": ("is packed and waits for the carrier", promised),
        "shipped": (f"shipped on {since} with {order.carrier}", promised),
        "out_for_delivery": (f"is out for delivery with {order.carrier}", promised),
        "delivered": (f"was delivered by {order.carrier} on {since}", registered),
        "cancelled": (f"was cancelled on {since}", "It was not charged."),
        "returned": (f"came back to us, and {total} was refunded on {since}", ""),
        "backordered": ("is on back order", promised),
    }
    state, then = sentences[order.status]
    return f"Order {order.order_number} {state}: {_goods(order)}. {then}".strip()


def _why_not_cancelled(order: Order) -> str:
    number = f"Order {order.order_number}"
    match order.status:
        case "cancelled":
            return f"{number} is already cancelled."
        case "returned":
            return f"{number} has already come back to us and was refunded, so there is nothing to cancel."
        case "delivered":
            return f"{number} was already delivered, so it cannot be cancelled. {_instead_of_cancelling(order)}"
        case _:
            return (
                f"{number} has already left our warehouse, so it cannot be cancelled. "
                "You can send it back free of charge once it has arrived."
            )


def _instead_of_cancelling(order: Order) -> str:
    if order.return_registered:
        return "A return is registered for it already."
    if order.return_rule == "open":
        return "I can start a return for it instead."
    return "A colleague can look at it with you."


def _why_not_returned(order: Order, reason: Reason) -> str:
    """The refusal of a return; empty where the order may come back."""
    number = f"Order {order.order_number}"
    if order.return_registered:
        return f"{number} has a return registered already, R{order.order_number}."
    match order.status:
        case "placed" | "packed" | "backordered":
            return f"{number} has not left our warehouse yet. I can cancel it instead."
        case "shipped" | "out_for_delivery":
            return f"{number} is still on its way. The return can start once it has arrived."
        case "cancelled":
            return f"{number} was cancelled, so there is nothing to send back."
        case "returned":
            return f"{number} has already come back to us and was refunded."
    if order.return_rule == "closed":
        return f"{number} was delivered over 30 days ago, so its return period has ended. {_late_help(reason)}"
    if order.return_rule == "final_sale" and reason not in _OUR_FAULT:
        return f"{number} was a final sale, which we take back only for a fault or a mistake of ours."
    return ""


def _late_help(reason: Reason) -> str:
    if reason in _OUR_FAULT:
        return "The warranty may cover it: a colleague can check that with you."
    return "A colleague can look at it with you if you like."


def _why_not_readdressed(order: Order) -> str:
    number = f"Order {order.order_number}"
    if order.status in ("shipped", "out_for_delivery"):
        return (
            f"{number} has already left our warehouse, so its address can no longer be changed here. "
            f"{order.carrier} may redirect it if you ask them with your tracking number."
        )
    state = {
        "delivered": "was already delivered",
        "cancelled": "is cancelled",
        "returned": "has come back to us",
    }
    return f"{number} {state[order.status]}, so its address cannot be changed."


def _looks_complete(address: str) -> bool:
    return any(ch.isdigit() for ch in address) and len(address.split()) >= 4


def _callback_day(day: str, now: datetime) -> date:
    """The day of a call-back. Raises ToolProblem for a day on which nobody calls."""
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise ToolProblem("invalid", "I did not get the day. Could you give me a date?") from None
    today = now.date()
    if on < today:
        raise ToolProblem("invalid", f"{_spoken(day)} is in the past. Which day should we call?")
    if on > today + timedelta(days=CALLBACK_DAYS_AHEAD):
        raise ToolProblem("not_allowed", "We book call-backs up to two weeks ahead. Which earlier day suits you?")
    if on.isoweekday() == 7:
        raise ToolProblem("not_allowed", "Nobody calls on Sundays. Which day from Monday to Saturday suits you?")
    if _is_holiday(on):
        raise ToolProblem("not_allowed", f"The care team is off on {_spoken(day)}. Which other day suits you?")
    if on == today and now.hour >= CALLS_END_HOUR:
        raise ToolProblem("not_allowed", "The care team has left for today. Which other day suits you?")
    return on


def _is_holiday(on: date) -> bool:
    """Whether the care team is off: the six days of the contact page."""
    week_of_month = (on.day - 1) // 7 + 1
    return (
        (on.month, on.day) in ((1, 1), (7, 4), (12, 25))
        or (on.month == 5 and on.isoweekday() == 1 and on.day > 24)
        or (on.month == 9 and on.isoweekday() == 1 and week_of_month == 1)
        or (on.month == 11 and on.isoweekday() == 4 and week_of_month == 4)
    )


def _goods(order: Order) -> str:
    """The goods in words, such as "a Juniper kettle and 2 Halo lamps"."""
    named = [f"a {i.name}" if i.quantity == 1 else f"{i.quantity} {i.name}s" for i in order.items]
    return " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))


def _dollars(cents: int) -> str:
    return f"${cents // 100}.{cents % 100:02d}"


def _spoken(iso: str) -> str:
    """ "December 1": the year goes without saying."""
    on = date.fromisoformat(iso)
    return f"{on:%B} {on.day}"
