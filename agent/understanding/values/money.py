"""Amounts of money as "12.50 USD", in figures and in words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.events import EntityFound
from agent.understanding.values.counts import IN_WORDS, count
from agent.understanding.values.found import entity

_CURRENCIES = {
    "$": "USD", "dollar": "USD", "dollars": "USD", "buck": "USD", "bucks": "USD", "usd": "USD", "us$": "USD",
    "€": "EUR", "euro": "EUR", "euros": "EUR", "eur": "EUR", "£": "GBP", "gbp": "GBP", "quid": "GBP",
    "pounds sterling": "GBP", "pound": "GBP", "pounds": "GBP", "francs": "CHF", "chf": "CHF", "¥": "JPY",
    "yen": "JPY", "jpy": "JPY", "rupees": "INR", "₹": "INR", "inr": "INR", "cad": "CAD", "aud": "AUD",
}  # fmt: skip
_DOLLARS = {"CA": "CAD", "AU": "AUD", "NZ": "NZD", "SG": "SGD", "HK": "HKD"}
_POUNDS = frozenset({"GB", "IM", "JE", "GG", "GI"})
"""Regions where a pound is money; elsewhere it is a weight."""
_EURO = frozenset("AT BE CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK".split())
_SIGN = r"[$€£¥₹]"
_UNIT = r"(?:dollars?|bucks?|usd|euros?|eur|gbp|quid|pounds sterling|pounds?|francs|chf|yen|jpy|rupees|inr|cad|aud)\b"
_AMOUNT = r"(\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?|\d{1,3}(?:\.\d{3})+(?:,\d{1,2})?(?!\d)|\d{1,9}(?:[.,]\d{1,2})?)"
_SIGNED = re.compile(rf"({_SIGN})\s?{_AMOUNT}(?![\d])")
_UNIT_AFTER = re.compile(
    rf"(?<![\d.,$€£]){_AMOUNT}\s?({_SIGN}(?!\d)|{_UNIT})(?:\s+(?:and\s+)?(\d{{1,2}})(?:\s+(?:cents?|pence|p)\b))?",
    re.IGNORECASE,
)
_WORDS = re.compile(
    rf"\b({IN_WORDS})\s+({_UNIT})(?:\s+(?:and\s+)?(\d{{1,2}}|{IN_WORDS})\s+(?:cents?|pence)\b)?", re.IGNORECASE
)
_CENTS = re.compile(rf"(?<![\d.,$€£])\b(\d{{1,2}}|{IN_WORDS})\s+cents\b", re.IGNORECASE)


def find_money(text: str, region: str) -> Iterator[EntityFound]:
    """`region` says whose dollars they are, and whether pounds are money."""
    for match in _SIGNED.finditer(text):
        yield _money(text, match, _amount(match[2]), match[1], region)
    for match in _UNIT_AFTER.finditer(text):
        if _is_money(match[2], region):
            amount = _amount(match[1]) if not match[3] else f"{match[1].replace(',', '')}.{int(match[3]):02}"
            yield _money(text, match, amount, match[2], region)
    for match in _WORDS.finditer(text):
        if _is_money(match[2], region):
            cents = f".{count(match[3]):02}" if match[3] else ""
            yield _money(text, match, f"{count(match[1])}{cents}", match[2], region)
    for match in _CENTS.finditer(text):
        if count(match[1]) < 100:
            yield _money(text, match, f"0.{count(match[1]):02}", "€" if region in _EURO else "$", region)


def _is_money(unit: str, region: str) -> bool:
    return unit.lower() not in ("pound", "pounds") or region in _POUNDS


def _money(text: str, match: re.Match[str], amount: str, unit: str, region: str) -> EntityFound:
    currency = _CURRENCIES[unit.lower()]
    if unit.lower() in ("$", "dollar", "dollars", "buck", "bucks"):
        currency = _DOLLARS.get(region, currency)
    return entity("money", f"{amount} {currency}", text, match.start(), match.end())


def _amount(figures: str) -> str:
    """ "1,299.50" and "1299,50" -> "1299.50"; whole amounts keep no decimals."""
    decimal = re.search(r"[.,](\d{1,2})$", figures)
    whole = re.sub(r"[.,]", "", figures[: decimal.start()] if decimal else figures)
    return f"{int(whole)}.{decimal[1]:0<2}" if decimal else str(int(whole))
