"""The simulators and `manage.py reconcile`, as a person starts them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests import ROOT
from tests.hubs import DEADLINE_S, Hub, Store, manage

COUNTED_WITHIN_S = 3600.0
"""For ten million readings: some minutes on an idle machine."""

ZEROS = {
    "lost": 0,
    "duplicated": 0,
    "phantom": 0,
    "wrong": 0,
    "miscounted": 0,
    "rollup_mismatches": 0,
}


class Simulators:
    """`python -m simulators run|replay`; it is ended with the test, if it has not ended before."""

    def __init__(self, hub: Hub, tokens: Path, command: str, *arguments: str) -> None:
        given = ["--url", hub.url, "--tokens", str(tokens), "--json", "--quiet", *arguments]
        self._program = subprocess.Popen(
            [sys.executable, "-m", "simulators", command, *given],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._program.kill()
        self._program.communicate()

    @property
    def runs(self) -> bool:
        return self._program.poll() is None

    def send(self, number: signal.Signals) -> None:
        self._program.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Wait for the end: its exit status, and what it wrote."""
        out, err = self._program.communicate(timeout=2 * DEADLINE_S)
        return self._program.returncode, out, err

    def stop(self) -> dict[str, Any]:
        """Interrupt it; it waits some seconds for its last acks. Its result so far."""
        self.send(signal.SIGINT)
        return self.result()

    def result(self) -> dict[str, Any]:
        """Wait for the end; it must have been a good one."""
        status, out, err = self.end()
        assert status == 0, err + out
        result: dict[str, Any] = json.loads(out)
        return result


def reconciled(store: Store, *ledgers: Path) -> dict[str, Any]:
    """What `manage.py reconcile` finds between these ledgers and the database."""
    given = ["--json", *map(str, ledgers)]
    ended = manage(store.url, "reconcile", *given, check=False, within_s=COUNTED_WITHIN_S)
    assert ended.stdout, ended.stderr
    report: dict[str, Any] = json.loads(ended.stdout)
    assert ended.returncode == (0 if differences(report) == ZEROS else 1)
    return report


def differences(report: dict[str, Any]) -> dict[str, int]:
    return {name: report[name] for name in ZEROS}
