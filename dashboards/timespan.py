"""Moments and spans as people and programs write them in a URL. Pure: the time now is given.

The API, the export and the pages read `from` and `to` by this, so that they mean one thing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
LATEST: Final = datetime.max.replace(tzinfo=UTC)

FORMS: Final = (
    "Unix milliseconds, ISO 8601 with an offset (2026-11-28T12:00:00Z),"
    " now, or now less a number of s, m, h, d or w (now-1h)"
)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RELATIVE: Final = re.compile(r"now(?:-([0-9]{1,9})([smhdw]))?")
_MILLISECONDS: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?", re.ASCII)
# The "+" of an offset that nobody escaped: a query string makes a blank of it.
_LOST_PLUS: Final = re.compile(r"(?<=[0-9]) (?=[0-9]{2}(:?[0-9]{2})?\Z)")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Span(NamedTuple):
    """From `start` on and up to, not including, `end`; both UTC."""

    start: datetime
    end: datetime


class NoSpan(ValueError):
    """`field`, which is `from` or `to`, is not what it should be; the sentence says what is."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def moment(text: str, now: datetime) -> datetime:
    """The UTC moment that `text` names, exact to the microsecond.

    ValueError whose sentence says what it should be, also where it lies outside years 1 to 9999.
    """
    try:
        if relative := _RELATIVE.fullmatch(text):
            return _before(now, *relative.groups()).astimezone(UTC)
        if _MILLISECONDS.fullmatch(text):
            return _EPOCH + timedelta(microseconds=round(Decimal(text) * 1000))
        found = datetime.fromisoformat(_LOST_PLUS.sub("+", text))
        if found.tzinfo is None:
            raise ValueError
        return found.astimezone(UTC)
    except OverflowError:
        raise ValueError("should lie in the years 1 to 9999") from None
    except ValueError:
        raise ValueError(f"should be {FORMS}") from None


def span(from_text: str, to_text: str, now: datetime) -> Span:
    """The span between two moments. NoSpan where one is none, or `to` is not after `from`."""
    start, end = _named("from", from_text, now), _named("to", to_text, now)
    if end <= start:
        raise NoSpan("to", "should be later than from")
    return Span(start, end)


def _named(field: str, text: str, now: datetime) -> datetime:
    try:
        return moment(text, now)
    except ValueError as error:
        raise NoSpan(field, str(error)) from None


def _before(now: datetime, number: str | None, unit: str | None) -> datetime:
    return now if unit is None else now - timedelta(**{_UNITS[unit]: int(number or 0)})
