"""Where a hub's time goes: a shape in a closed loop, the hub under py-spy, its hottest functions.

    python -m benchmarks.profile SHAPE [--engine sqlite] [--seconds 10] [--gil] [--native]

`--gil` counts only samples that hold Python's lock, `--native` names functions of C too. The share
is of the samples in which a thread was at work. A million readings are stored before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks import ROOT, servers
from benchmarks.client import Order
from benchmarks.databases import DATABASES, Database
from benchmarks.machine import cores, pinned
from benchmarks.runs import GRACE_S, appointment, dashboard
from benchmarks.shapes import SHAPES, by_name
from benchmarks.timeline import Timeline

IDLE: Final = ("_worker (concurrent", "Condition.wait (", "EpollSelector.select (")
"""Where threads wait for work; py-spy takes some of that for work."""

MARGIN_S: Final = 2.0
"""The client sends that much longer than the profile takes."""


def hottest(raw: Iterable[str], most: int) -> list[tuple[str, float, float]]:
    """(function, its own share, its share with what it calls) of stacks in py-spy's raw format."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    total = 0
    for line in raw:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if frames[-1].startswith(IDLE):
            continue
        total += int(count)
        own[frames[-1]] += int(count)
        for frame in set(frames):
            within[frame] += int(count)
    ranked = own.most_common(most)
    return [(frame, count / total, within[frame] / total) for frame, count in ranked]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile")
    add = parser.add_argument
    add("shape", choices=[shape.name for shape in SHAPES])
    add("--engine", choices=DATABASES, default="sqlite")
    add("--seconds", type=int, default=10)
    add("--gil", action="store_true")
    add("--native", action="store_true")
    add("--lines", action="store_true", help="tell a function's lines apart")
    add("--raw", type=Path, help="keep the stacks here")
    add("--most", type=int, default=40)
    options = parser.parse_args()
    with (
        DATABASES[options.engine](1_000_000, cores(), print) as database,
        tempfile.TemporaryDirectory() as folder,
    ):
        raw = options.raw or Path(folder) / "raw"
        result = _profile(database, options, raw)
        print(json.dumps(result))
        print("  own   with  function")
        for frame, own, within in hottest(raw.read_text().splitlines(), options.most):
            print(f"{own:6.1%} {within:6.1%}  {frame}")


def _profile(database: Database, options: argparse.Namespace, raw: Path) -> object:
    length_s = options.seconds + MARGIN_S
    begin_at_s, behind_s = appointment(Timeline(time.time()), by_name(options.shape), length_s)
    spy = [
        *(str(Path(sys.executable).with_name("py-spy")), "record", "--format", "raw", "--threads"),
        *("--duration", str(options.seconds), "--rate", "200", "--output", str(raw)),
        *(["--gil"] if options.gil else []),
        *(["--native"] if options.native else []),
        *([] if options.lines else ["--function"]),
    ]
    with (
        servers.hub(database, behind_s + GRACE_S) as server,
        dashboard(database, server, login=True),
    ):
        order = Order(
            server.url,
            str(database.tokens),
            options.shape,
            length_s,
            behind_s,
            begin_at_s=begin_at_s,
        )
        command = [sys.executable, "-m", "benchmarks.client", json.dumps(asdict(order))]
        with subprocess.Popen(
            pinned(database.cores.client, command), cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as client:
            assert client.stdout is not None
            said: dict[str, Any] = {}
            for line in client.stdout:
                before, said = said, json.loads(line)
                if said.get("now") == "begun" and before.get("now") == "begun":
                    subprocess.Popen(
                        pinned(database.cores.client, [*spy, "--pid", str(server.pid)]),
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                    )
        deadline_s = time.monotonic() + 30
        while not raw.exists() and time.monotonic() < deadline_s:
            time.sleep(0.2)
    return said.get("result")


if __name__ == "__main__":
    main()
