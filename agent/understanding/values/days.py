"""Days as they are seen from today: the next 3rd, next Tuesday, a fortnight ago."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Literal

DateOrder = Literal["DMY", "MDY"]
_MONTH_FIRST = frozenset("US PH FM MH PW AS GU MP UM VI JP KR CN TW HU".split())
_BOTH_IN_USE = frozenset("CA PA PR".split())
"""Regions by how they write a day and a month in figures (Unicode CLDR, short dates)."""


def date_orders(languages: Sequence[str], region: str, *, region_stated: bool = True) -> tuple[DateOrder, ...]:
    """The orders that a business's customers may write 3/4 in, the likeliest first; two leave a doubt.

    A language may name its own region ("en-GB"). English is written either way: it goes by the
    business's region, if it states one; other languages write the day first.
    """
    orders: dict[DateOrder, None] = {}
    for language in languages or ("en",):
        name, _, own = language.replace("_", "-").partition("-")
        stated = own.upper() or (region if region_stated else "")
        if name.lower() == "en" and (not stated or stated in _BOTH_IN_USE):
            orders |= dict.fromkeys(_region_orders(region))
            orders |= {"MDY": None, "DMY": None}
        elif name.lower() in ("en", "ja", "ko", "zh", "hu"):
            orders |= dict.fromkeys(_region_orders(stated if name.lower() == "en" else "JP"))
        else:
            orders["DMY"] = None
    return tuple(orders)


def _region_orders(region: str) -> tuple[DateOrder, ...]:
    return ("MDY",) if region in _MONTH_FIRST else ("DMY",)


class Days:
    """Dates seen from `today`. `looks_back`: a date without a year is the last one, not the coming one.

    `anchor` is the day that "the day after" comes after.
    """

    def __init__(
        self, today: date, *, looks_back: bool, orders: Sequence[DateOrder] = ("MDY",), anchor: date | None = None
    ) -> None:
        self.today = today
        self.orders = orders
        self.anchor = anchor
        self._back = looks_back

    def on(self, year: int | None, month: int, day: int) -> date | None:
        """A day of a month; None where there is no such day."""
        if year is not None:
            return _real(year, month, day)
        return self._nearest(d for y in range(-4, 9) if (d := _real(self.today.year + y, month, day)))

    def day_of_month(self, day: int, months_ahead: int | None = None) -> date | None:
        """The next such day, or the one of this month (0), of next month (1)..."""
        steps = range(-3, 4) if months_ahead is None else (months_ahead,)
        months = [divmod(self.today.year * 12 + self.today.month - 1 + step, 12) for step in steps]
        dates = [d for year, month in months if (d := _real(year, month + 1, day))]
        return self._nearest(dates) if months_ahead is None else next(iter(dates), None)

    def end_of_month(self, months_ahead: int) -> date | None:
        year, month = divmod(self.today.year * 12 + self.today.month - 1 + months_ahead, 12)
        return _real(year, month + 1, calendar.monthrange(year, month + 1)[1]) if 0 < year < 10000 else None

    def weekday(self, day: int, which: str = "") -> date | None:
        """ "Tuesday" is the coming one, never today; "next Tuesday" the one of next week."""
        ahead = (day - self.today.weekday()) % 7
        if which in ("last", "past") or (not which and self._back):
            return self.after(-((self.today.weekday() - day) % 7 or 7))
        if which == "next":
            return self.after(7 - self.today.weekday() + day)
        return self.after(ahead if which == "this" else ahead or 7)

    def after(self, days: int, start: date | None = None) -> date | None:
        try:
            return (start or self.today) + timedelta(days=days)
        except OverflowError:
            return None

    def shifted(self, count: int, unit: str) -> date | None:
        """So many days, weeks, fortnights, months or years from today."""
        days = {"d": 1, "w": 7, "f": 14}.get(unit[0])
        if days:
            return self.after(days * count)
        months = count * (12 if unit.startswith("year") else 1)
        year, month = divmod(self.today.year * 12 + self.today.month - 1 + months, 12)
        if not 0 < year < 10000:
            return None
        return date(year, month + 1, min(self.today.day, calendar.monthrange(year, month + 1)[1]))

    def _nearest(self, dates: Iterable[date]) -> date | None:
        dates = list(dates)
        if self._back:
            return max((d for d in dates if d <= self.today), default=None)
        return min((d for d in dates if d >= self.today), default=None)


def _real(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
