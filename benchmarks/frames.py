"""What the frames of a page cost, out of a trace of Chromium. Pure.

A trace is a list of events with a name `name`, a phase `ph`, a begin `ts` and a length `dur` in
microseconds, and how much of that its thread was on a processor, `tdur`; of a thread `tid` of a
process `pid`. A frame lasts from one `BeginMainThreadFrame` to the next: what a message brought in
between counts as the frame's that shows it.

Processor time is counted, not the clock's: what else the machine does is not the page's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

CATEGORIES: Final = ["devtools.timeline", "disabled-by-default-devtools.timeline"]
BEGIN: Final = ("AnimationFrame", "b")
SCRIPT: Final = frozenset(
    ["FunctionCall", "EvaluateScript", "v8.evaluateModule", "FireAnimationFrame", "TimerFire"]
)
RENDERING: Final = frozenset(
    ["UpdateLayoutTree", "Layout", "PrePaint", "Paint", "Layerize", "Commit"]
)

Event = Mapping[str, Any]


class Frame(NamedTuple):
    """Milliseconds of the page's one thread. Layout that a script asks for is script."""

    script_ms: float
    rendering_ms: float


def frames(trace: Sequence[Event]) -> list[Frame]:
    """The whole frames of the busiest page of the trace."""
    begins = [event for event in trace if (event["name"], event["ph"]) == BEGIN]
    threads = [(event["pid"], event["tid"]) for event in begins]
    if not threads:
        return []
    thread = max(set(threads), key=threads.count)
    starts = sorted(event["ts"] for event in begins if (event["pid"], event["tid"]) == thread)
    mine = [each for each in trace if (each["pid"], each["tid"]) == thread and each["ph"] == "X"]
    script, rendering = [0.0] * len(starts), [0.0] * len(starts)
    for event in outermost(mine, SCRIPT | RENDERING):
        frame = bisect_right(starts, event["ts"]) - 1
        if frame >= 0:
            times = script if event["name"] in SCRIPT else rendering
            times[frame] += event.get("tdur", 0) / 1000
    return [Frame(*each) for each in zip(script[:-1], rendering[:-1], strict=True)]


def outermost(events: Iterable[Event], names: frozenset[str]) -> Iterator[Event]:
    """Those of these names; what is inside another is in its time already."""
    end = float("-inf")
    for event in sorted(events, key=lambda each: (each["ts"], -each["dur"])):
        if event["name"] in names and event["ts"] >= end:
            end = event["ts"] + event["dur"]
            yield event


def share(values: Sequence[float], part: float) -> float:
    """The value that `part` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(round(part * len(ordered)), len(ordered) - 1)]
