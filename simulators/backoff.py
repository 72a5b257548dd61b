"""How long to wait before the next connection: doubling, jittered, never sooner than asked."""

from __future__ import annotations

from random import Random

FIRST_S = 0.25
LONGEST_S = 30.0


class Backoff:
    """The waits of one device. `reset` it once the hub settled something."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._ceiling_s = FIRST_S

    def reset(self) -> None:
        self._ceiling_s = FIRST_S

    def next_s(self, retry_after_ms: int = 0) -> float:
        """The next wait: what the hub asked for, and a random part on top so that a fleet
        that was cut off together does not come back together."""
        jitter_s = self._rng.uniform(0.2, 1.0) * self._ceiling_s
        self._ceiling_s = min(self._ceiling_s * 2, LONGEST_S)
        return retry_after_ms / 1000 + jitter_s
