"""What the runs of `benchmarks.live` came to: medians, what is wanted of them, the table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

MOST_MORE: Final = 0.2
MOST_MORE_MS: Final = 20.0
"""An ack's p99 with dashboards open may be longer by the larger of the two."""
MOST_INTERVALS: Final = 1.5
"""Within so many of the relay's intervals an update is on the screen, at p95."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One run. Seconds are from the ack of a reading to where it arrived."""

    dashboards: int
    ack_p50_ms: float
    ack_p99_ms: float
    cpu: float
    """Of the hub's core, what the hub used."""
    foreign: float
    """Of the hub's core, what other programs used."""
    client_busy: float
    messages: int
    heard_s: list[float]
    """At the dashboards that no browser is in."""
    screen_s: list[float]
    """In the text of the page; empty where there is no browser."""


Pair = tuple[Figures, Figures]
"""Without dashboards, and with them."""


def latencies(
    acked: Mapping[int, float], seen: Iterable[tuple[int, float]], from_s: float, to_s: float
) -> list[float]:
    """How long after its ack each value was seen, of those acked between."""
    return [
        at_s - acked[value]
        for value, at_s in seen
        if value in acked and from_s <= acked[value] < to_s
    ]


def percentile(values: Sequence[float], share: float) -> float | None:
    if not values:
        return None
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def verdict(pairs: Sequence[Pair], interval_s: float) -> dict[str, float | bool | None]:
    """The medians over the pairs, and whether what is wanted was reached."""
    without_ms = median(none.ack_p99_ms for none, _ in pairs)
    with_ms = median(open_.ack_p99_ms for _, open_ in pairs)
    more_ms = median(open_.ack_p99_ms - none.ack_p99_ms for none, open_ in pairs)
    screen_s = [s for _, open_ in pairs for s in open_.screen_s]
    heard_s = [s for _, open_ in pairs for s in open_.heard_s]
    screen_p95_s = percentile(screen_s or heard_s, 0.95)
    return {
        "ack_p99_without_ms": without_ms,
        "ack_p99_with_ms": with_ms,
        "ack_p99_more_ms": more_ms,
        "ack_reached": more_ms <= max(MOST_MORE * without_ms, MOST_MORE_MS),
        "heard_p95_s": percentile(heard_s, 0.95),
        "screen_p50_s": percentile(screen_s, 0.5),
        "screen_p95_s": percentile(screen_s, 0.95),
        "screen_reached": screen_p95_s is not None and screen_p95_s <= MOST_INTERVALS * interval_s,
    }


HEAD: Final = (
    "dashboards", "ack p50 p99 ms", "hub's core", "others", "client", "messages",
    "heard p95 s", "screen p50 p95 s",
)  # fmt: skip


def table(pairs: Sequence[Pair]) -> str:
    """A line for each run, in pairs."""
    lines = [HEAD, *(_line(figures) for pair in pairs for figures in pair)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    padded = (
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)


def _line(one: Figures) -> tuple[str, ...]:
    screen = [percentile(one.screen_s, share) for share in (0.5, 0.95)]
    return (
        str(one.dashboards),
        f"{one.ack_p50_ms:.1f} {one.ack_p99_ms:6.1f}",
        f"{one.cpu:.0%}",
        f"{one.foreign:.0%}",
        f"{one.client_busy:.0%}",
        f"{one.messages:,}",
        _seconds(percentile(one.heard_s, 0.95)),
        " ".join(map(_seconds, screen)) if one.screen_s else "",
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
