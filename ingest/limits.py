"""What bounds a device's connection: told in `welcome`, and held to."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.reading import METRIC_MAX_CHARACTERS, TEXT_MAX_CHARACTERS


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device is told in `welcome`, and held to."""

    frame_bytes: int = 262_144
    frame_readings: int = 10_000
    in_flight: int = 32
    frames_per_s: int = 1_000  # 0 is no limit, here and below
    readings_per_s: int = 50_000
    bytes_per_s: int = 10_000_000
    metrics: int = 2_000
    metric_characters: int = METRIC_MAX_CHARACTERS
    text_characters: int = TEXT_MAX_CHARACTERS
    future_s: int = 600
    ping_s: int = 20
    busy_retry_ms: int = 100

    def announced(self) -> dict[str, int]:
        return {
            "frame_bytes": self.frame_bytes,
            "frame_readings": self.frame_readings,
            "in_flight": self.in_flight,
            "frames_per_s": self.frames_per_s,
            "readings_per_s": self.readings_per_s,
            "bytes_per_s": self.bytes_per_s,
            "metrics": self.metrics,
            "metric_characters": self.metric_characters,
            "text_characters": self.text_characters,
            "future_s": self.future_s,
            "ping_s": self.ping_s,
        }
