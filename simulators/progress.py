"""What a person sees while it runs, on stderr: a line rewritten on terminals, lines elsewhere."""

from __future__ import annotations

import sys

from simulators.tally import Tally

TERMINAL_INTERVAL_S = 0.5
LINES_INTERVAL_S = 5.0


class Progress:
    def __init__(self, tally: Tally, *, quiet: bool) -> None:
        self._tally = tally
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._began_s = self._shown_s = 0.0
        self._shown_acked = 0
        self.interval_s = TERMINAL_INTERVAL_S if self._terminal else LINES_INTERVAL_S

    def begin(self, now_s: float) -> None:
        self._began_s = self._shown_s = now_s

    def show(self, now_s: float) -> None:
        if self._quiet:
            return
        tally = self._tally
        rate = (tally.readings_acked - self._shown_acked) / max(now_s - self._shown_s, 1e-9)
        self._shown_s, self._shown_acked = now_s, tally.readings_acked
        line = (
            f"{now_s - self._began_s:6.1f} s  sent {tally.readings_sent:,}  "
            f"acked {tally.readings_acked:,}  stored {tally.outcome.stored:,}  "
            f"{rate:,.0f} readings/s"
        )
        p99_s = tally.latencies.percentile_s(0.99)
        if p99_s is not None:
            line += f"  ack p99 {p99_s * 1000:.1f} ms"
        if tally.outcome.rejected:
            line += f"  rejected {tally.outcome.rejected:,}"
        self._write(f"\r{line}\033[K" if self._terminal else f"{line}\n")

    def say(self, sentence: str) -> None:
        self._write(f"\r{sentence}\033[K\n" if self._terminal else f"{sentence}\n")

    def end(self) -> None:
        if self._terminal and not self._quiet:
            self._write("\r\033[K")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
