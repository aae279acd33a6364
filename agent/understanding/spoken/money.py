"""Amounts: "25 dollars and 50 cents" -> "$25.50", "10 percent" -> "10%"; number words are figures already."""

from __future__ import annotations

import re

_AMOUNT = r"(\d+(?:[.,]\d+)*)"
_SIGNS = {"dollar": "$", "dollars": "$", "buck": "$", "bucks": "$", "euro": "€", "euros": "€", "pound": "£",
          "pounds": "£", "quid": "£"}  # fmt: skip
_SCALED = r"((?:\s(?:million|billion))?)"
_UNIT = r"(dollars?|bucks?|euros?|pounds?|quid)"
_WHOLE_AND_CENTS = re.compile(
    rf"(?<![$€£\d.,]){_AMOUNT}\s{{0,3}}{_UNIT},?(?:\s{{1,3}}and)?\s{{1,3}}(\d{{1,2}})(?!\d)"
    rf"(?:\s{{1,3}}(cents?|pence)\b|(?=\s{{0,3}}[.,!?]?\s*$))",
    re.I,
)
_WHOLE = re.compile(rf"(?<![$€£\d.,]){_AMOUNT}{_SCALED}\s{{0,3}}{_UNIT}\b", re.I)
_A_DOLLAR = re.compile(
    r"\b(?:a|one)\s{1,3}(dollar|euro)(?:\s{1,3}and)?\s{1,3}(\d{2})\b(?:\s{1,3}cents?\b)?(?!\s{0,3}[\w%])", re.I
)
_WEIGHED = re.compile(r"^\s{1,3}(?:of\b|heavy|weight|package|parcel|box|bag|and\s{1,3}\d+\s{1,3}ounces?)", re.I)
_PERCENT = re.compile(r"(?<=\d)\s{0,3}per\s?cent\b", re.I)


def money(text: str, *, pounds: bool) -> str:
    """Amounts with their sign. Where `pounds` is false, a pound is money only beside pence."""

    def exact(match: re.Match[str]) -> str:
        if not _is_money(match[2], pounds or (match[4] or "").lower() == "pence"):
            return match[0]
        return f"{_SIGNS[match[2].lower()]}{match[1]}.{int(match[3]):02}"

    def whole(match: re.Match[str]) -> str:
        weight = not _is_money(match[3], pounds and not _WEIGHED.match(text[match.end() :][:20]))
        return match[0] if weight else f"{_SIGNS[match[3].lower()]}{match[1]}{match[2]}"

    text = _A_DOLLAR.sub(lambda m: f"{_SIGNS[m[1].lower()]}1.{m[2]}", text)
    text = _WHOLE_AND_CENTS.sub(exact, text)
    return _PERCENT.sub("%", _WHOLE.sub(whole, text))


def _is_money(unit: str, pounds: bool) -> bool:
    return pounds or not unit.lower().startswith("pound")
