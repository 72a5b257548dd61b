"""Moments as Django's DateTimeField keeps them in SQLite: texts, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def django_time(at_us: int) -> str:
    moment = _EPOCH + timedelta(microseconds=at_us)
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def us_of(django_time: str | None) -> int:
    """0 for none."""
    if django_time is None:
        return 0
    return (datetime.fromisoformat(django_time).replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
