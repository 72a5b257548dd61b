"""What a run came to: counts of readings and frames, latencies of acks, and the result as JSON.

Fed by sessions, read by the progress line and at the end. Knows no I/O and no clock.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from simulators.device import Device
from simulators.notes import Dropped, Frame, Note, Outcome, Renamed, Resumed, SetAside, Settled

BUCKETS_PER_E = 100
"""Buckets a factor of e: a percentile is right to one part in a hundred, in constant memory."""

SHORTEST_S = 1e-6


@dataclass(slots=True)
class Latencies:
    """A histogram of durations with buckets of equal relative width."""

    buckets: Counter[int] = field(default_factory=Counter)
    longest_s: float = 0.0

    def add(self, latency_s: float) -> None:
        self.buckets[int(math.log(max(latency_s, SHORTEST_S)) * BUCKETS_PER_E)] += 1
        if latency_s > self.longest_s:
            self.longest_s = latency_s

    def percentile_s(self, share: float) -> float | None:
        """The latency that `share` of all do not exceed; None of nothing."""
        wanted, seen = share * sum(self.buckets.values()), 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                return min(math.exp((bucket + 0.5) / BUCKETS_PER_E), self.longest_s)
        return None


@dataclass(slots=True)
class Tally:
    """Counts over all devices. `sent` counts a reading once, however often its frame is sent."""

    readings_sent: int = 0
    readings_acked: int = 0
    readings_dropped: int = 0
    outcome: Outcome = field(default_factory=Outcome)
    frames_sent: int = 0
    frames_acked: int = 0
    frames_resent: int = 0
    frames_dropped: int = 0
    frames_lost: int = 0
    """Numbers the hub counts as skipped, by its own account in `welcome`."""
    connections: int = 0
    latencies: Latencies = field(default_factory=Latencies)
    behind_s: float = 0.0
    """The longest a frame was made after its intended time."""
    frames_unsent: int = 0
    """Frames the schedule held that were not made before the end."""
    skipped: int = 0
    """Values of a recording that are no readings (empty, or not a number)."""
    closes: Counter[int] = field(default_factory=Counter)
    last_ack_s: float = 0.0

    def sending(self, frame: Frame) -> None:
        if frame.tries > 1:
            self.frames_resent += 1
        else:
            self.frames_sent += 1
            self.readings_sent += frame.readings

    def note(self, note: Note, now_s: float) -> None:
        match note:
            case Settled():
                self._acked(note.frames, note.outcome, now_s)
                for frame in note.frames:
                    self.latencies.add(now_s - frame.due_s)
            case Resumed():
                # No latency: the ack was lost with the connection, the time of it is unknown.
                self._acked(note.frames, note.news, now_s)
                self.frames_lost += note.newly_lost
            case Dropped() | SetAside():
                self.frames_dropped += 1
                self.readings_dropped += note.frame.readings
            case Renamed():
                pass

    def _acked(self, frames: list[Frame], outcome: Outcome, now_s: float) -> None:
        self.frames_acked += len(frames)
        for frame in frames:
            self.readings_acked += frame.readings
        self.outcome += outcome
        if frames:
            self.last_ack_s = now_s

    def result(self, devices: list[Device], began_s: float, ended_s: float) -> dict[str, object]:
        """The JSON object of a run. Without a unit in its name a count is of readings; the rate
        is of acked readings, from the beginning to the last ack."""
        busy_s = max(self.last_ack_s - began_s, 1e-9)
        errors = sum((device.errors for device in devices), Counter[str]())
        return {
            "devices": len(devices),
            "duration_s": round(ended_s - began_s, 3),
            "sent": self.readings_sent,
            "acked": self.readings_acked,
            **self.outcome._asdict(),
            "dropped": self.readings_dropped,
            "unacked": sum(frame.readings for device in devices for frame in device.spool),
            "skipped": self.skipped,
            "frames_sent": self.frames_sent,
            "frames_acked": self.frames_acked,
            "frames_resent": self.frames_resent,
            "frames_dropped": self.frames_dropped,
            "frames_lost": self.frames_lost,
            "frames_unsent": self.frames_unsent,
            "readings_per_s": round(self.readings_acked / busy_s, 1),
            "frames_per_s": round(self.frames_acked / busy_s, 1),
            "ack_p50_ms": _ms(self.latencies.percentile_s(0.50)),
            "ack_p95_ms": _ms(self.latencies.percentile_s(0.95)),
            "ack_p99_ms": _ms(self.latencies.percentile_s(0.99)),
            "ack_max_ms": _ms(self.latencies.longest_s if self.latencies.buckets else None),
            "behind_s": round(self.behind_s, 3),
            "reconnects": max(0, self.connections - len(devices)),
            "stopped": sum(bool(device.stopped) for device in devices),
            "errors": dict(errors),
            "closes": {str(code): count for code, count in sorted(self.closes.items())},
        }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
