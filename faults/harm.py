"""What can be done to a disk or a process from outside: a small disk, a call that fails. Linux."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faults import Missing
from tests.hubs import wait_until

BLOCK_BYTES = 16 << 10


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own at `folder`, in memory. Raises Missing."""
    if os.geteuid() != 0:
        raise Missing("a disk to fill", "only root may mount one")
    folder.mkdir(parents=True, exist_ok=True)
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "weir", str(folder)]
    done = subprocess.run(mounted, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Missing("a disk to fill", done.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    """`ro` or `rw`; nobody may have a file of it open for writing."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """No byte is left on the disk of `folder`."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(BLOCK_BYTES)) == BLOCK_BYTES:
            pass
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def failing_call(pid: int, call: str, error: int) -> Iterator[None]:
    """Every `call` of the process fails with `error`, as of a disk that is no more what it was."""
    with traced(
        [pid], "-e", f"trace={call}", "-e", f"inject={call}:error={errno.errorcode[error]}"
    ):
        yield


@contextmanager
def traced(pids: list[int], *arguments: str) -> Iterator[None]:
    """These processes run under strace, all their threads. Raises Missing."""
    program = shutil.which("strace")
    if program is None:
        raise Missing("strace", "it is not installed")
    attached = [part for pid in pids for part in ("-p", str(pid))]
    tracer = subprocess.Popen(
        [program, "-f", *attached, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: tracer.poll() is not None or all(map(_is_traced, pids)), "it traces")
        if tracer.poll() is not None:
            assert tracer.stderr is not None
            raise Missing("strace", tracer.stderr.read().strip())
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()


def _is_traced(pid: int) -> bool:
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    return all("TracerPid:\t0\n" not in (task / "status").read_text() for task in tasks)
