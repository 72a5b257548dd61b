"""How long what is stored is kept, and from when on. Pure: the time now is given.

A rule may be for one series, for a metric of every device, for a device, or the hub's: for each of
the three forms the first of these that says anything holds. A rollup is kept at least as long as
what it is made of, or nothing would tell of a time of which readings are still there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from ingest.reading import EARLIEST_US

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
FOR_EVER: Final = 0

Whose = tuple[int | None, str]  # a device's id, None for all; a metric, empty for all


class Days(NamedTuple):
    """For how many days each form is kept: 0 for ever; None where a wider rule has to say."""

    readings: int | None = None
    minutes: int | None = None
    hours: int | None = None


class KeptFrom(NamedTuple):
    """From when on each form is kept, in µs, all of them full hours; the first year: for ever."""

    readings: int = EARLIEST_US
    minutes: int = EARLIEST_US
    hours: int = EARLIEST_US


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules there are; the hub's own for whom no other speaks."""

    hub: Days
    others: dict[Whose, Days]

    @classmethod
    def of(cls, hub: Days, others: Iterable[tuple[Whose, Days]]) -> Rules:
        return cls(hub, dict(others))

    def days(self, device_id: int, metric: str) -> Days:
        """What holds for one series; nothing is left open."""
        order = ((device_id, metric), (None, metric), (device_id, ""))
        rules = [*(self.others[whose] for whose in order if whose in self.others), self.hub]
        return Days(*(_first(said) for said in zip(*rules, strict=True)))

    def kept_from(self, device_id: int, metric: str, now_us: int) -> KeptFrom:
        """From when on the forms of one series are to be kept, if it is `now_us`."""
        latest_us = now_us
        found = []
        for days in self.days(device_id, metric):
            latest_us = min(latest_us, _before(now_us, days or FOR_EVER))
            found.append(latest_us)
        return KeptFrom(*found)


def full_hour(at_us: int) -> int:
    """The full hour at or before a time: an hour's rollup is kept with all of its readings."""
    return max(EARLIEST_US, at_us - at_us % HOUR_US)


def _first(said: Iterable[int | None]) -> int:
    return next((days for days in said if days is not None), FOR_EVER)


def _before(now_us: int, days: int) -> int:
    return EARLIEST_US if days == FOR_EVER else full_hour(now_us - days * DAY_US)
