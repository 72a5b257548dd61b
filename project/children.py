"""Other programs run beside this one: started, watched, and stopped with it, however it ends.

Knows nothing of Django or of what the programs do.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.1


class Child:
    """One program, in a process group of its own: Ctrl-C reaches it only through `stop`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> None:
        self.name = name
        self._running = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else None,
            process_group=0,
            # Safe: no program that has children here has threads when it starts them.
            preexec_fn=_end_with_the_parent(),  # noqa: PLW1509
        )

    def ended(self) -> int | None:
        """Its exit status, a negative signal number if it was killed, or None while it runs."""
        return self._running.poll()

    @property
    def pid(self) -> int:
        return self._running.pid

    def ask_to_end(self) -> None:
        """As a terminal or a supervisor would; it may take its time."""
        if self.ended() is None:
            self._running.send_signal(signal.SIGTERM)

    def stop(self, within_s: float) -> bool:
        """Ask it to end, and after `within_s` end it; whether it ended by itself."""
        self.ask_to_end()
        return self.end(within_s)

    def end(self, within_s: float) -> bool:
        """Wait until it ends, and after `within_s` end it; whether it ended by itself."""
        try:
            self._running.wait(within_s)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
            return False
        return True


class Asked:
    """How many signals have asked this program to stop: true from the first one on."""

    def __init__(self) -> None:
        self.times = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._count)

    def __bool__(self) -> bool:
        return self.times > 0

    def _count(self, number: int, frame: object) -> None:
        self.times += 1


def first_to_end(children: Sequence[Child], asked_to_stop: Callable[[], bool]) -> Child | None:
    """Wait until one of `children` has ended, and give it; None if asked to stop before."""
    while not asked_to_stop():
        for child in children:
            if child.ended() is not None:
                return child
        time.sleep(_POLL_S)
    return None


def _end_with_the_parent() -> Callable[[], None] | None:
    """What the child does before its program starts, so that it never outlives a killed parent.

    Linux alone tells a child of its parent's death; elsewhere a SIGKILL to the parent leaves it.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def before_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        # The parent may have died between the fork and the line above.
        if os.getppid() != parent:
            os._exit(1)

    return before_exec
