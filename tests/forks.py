"""Starts the commands of `manage.py` as programs of their own, in half the time or less.

They are forks of a Python that has imported the libraries already (`tests.preloaded`), where the
system is Linux; elsewhere, and with WEIR_TEST_FRESH=1, each is a Python that begins anew.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from tests import ROOT

MANAGE = [sys.executable, str(ROOT / "manage.py")]

# What a process reads of its environment while it starts.
_AT_START = re.compile(r"(LD_|PYTHON|FAKETIME|MALLOC_|GLIBC_|LC_|LANG).*")


class Program:
    """A program under way: as much of `subprocess.Popen` as the tests need."""

    def __init__(self, pid: int, report: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._report = report

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        ended = self._ended(timeout)
        if ended is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return ended

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _ended(self, within_s: float | None) -> int | None:
        if self.returncode is None:
            self._report.settimeout(within_s)
            try:
                self.returncode = int(self._report.recv(64) or -signal.SIGKILL)
            except (BlockingIOError, TimeoutError):
                return None
            self._report.close()
        return self.returncode


Started = Program | subprocess.Popen[bytes]


def start(
    command: Sequence[str], environment: Mapping[str, str], out: IO[bytes], error: IO[bytes]
) -> Started:
    """Start it in the project's folder, with nothing to read; it ends with the tests."""
    if _can_be_forked(command, environment):
        return _preloaded().fork(command[1:], environment, out, error)
    ends = shutil.which("setpriv")  # Linux has it; elsewhere a hub of killed tests lives on
    return subprocess.Popen(
        [*([ends, "--pdeathsig", "KILL"] if ends else []), *command],
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=error,
    )


def run(
    arguments: Sequence[str], environment: Mapping[str, str], within_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a command of `manage.py` to its end."""
    with TemporaryFile() as out, TemporaryFile() as error:
        program = start([*MANAGE, *arguments], environment, out, error)
        try:
            status = program.wait(within_s)
        finally:
            program.kill()
        for said in (out, error):
            said.seek(0)
        said_out, said_error = (said.read().decode() for said in (out, error))
    return subprocess.CompletedProcess(arguments, status, said_out, said_error)


def _can_be_forked(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    if sys.platform != "linux" or os.environ.get("WEIR_TEST_FRESH"):
        return False
    return list(command[:2]) == MANAGE and _at_start(environment) == _at_start(os.environ)


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if _AT_START.fullmatch(name)}


class _Preloaded:
    def __init__(self) -> None:
        self._asks, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with asked:
            self._program = subprocess.Popen(
                [sys.executable, "-m", "tests.preloaded", str(asked.fileno())],
                cwd=ROOT,
                pass_fds=[asked.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def fork(
        self,
        program: Sequence[str],
        environment: Mapping[str, str],
        out: IO[bytes],
        error: IO[bytes],
    ) -> Program:
        told = {"arguments": program, "environment": dict(environment), "folder": str(ROOT)}
        report, tells = socket.socketpair()
        with tells, Path(os.devnull).open("rb") as nothing:
            files = [each.fileno() for each in (nothing, out, error, tells)]
            socket.send_fds(self._asks, [json.dumps(told).encode()], files)
        pid = b""
        while not pid.endswith(b"\n"):
            pid += report.recv(1) or b"-\n"
        return Program(int(pid), report)


@cache
def _preloaded() -> _Preloaded:
    return _Preloaded()
