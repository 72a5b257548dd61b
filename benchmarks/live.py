"""What a hundred dashboards cost a hub, and how soon an update is on a screen.

    python -m benchmarks.live

Pairs of runs, without dashboards and with them, alternating which comes first; the hub is started
anew for each. A thousand devices send a sample of three metrics a second. The hub has one core; the
devices, the dashboards and a browser, each a program of its own, have the other.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks import ROOT, Trouble, servers
from benchmarks.client import Order
from benchmarks.databases import DATABASES, LOGIN, Database, run
from benchmarks.machine import cores, described, pinned
from benchmarks.probe import UID
from benchmarks.programs import keep, say
from benchmarks.runs import send
from benchmarks.screens import Figures, Pair, latencies, table, verdict

LATEST: Final = Path("benchmarks/results/live.json")
DASHBOARDS: Final = 100
PROGRAMS: Final = 3
"""Which share the dashboards: one interpreter would be the limit."""
CONNECT_S: Final = 8.0
"""For a thousand devices, before they send."""
WARM_UP_S: Final = 2.0
GRACE_S: Final = 10.0
INTERVAL_S: Final = 1.0
"""WEIR_RELAY_INTERVAL_S, as it is by default."""
MOST_LATE_S: Final = 2.0
"""What was acked in the last moments of a run may arrive after it."""
ANSWER_S: Final = 60.0

Program = subprocess.Popen[str]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parsed(arguments)
    chosen = cores()
    machine, pairs = described(chosen), list[Pair]()
    try:
        with DATABASES[options.engine](options.stored, chosen, say) as database:
            token = _probe_token(database)
            for number in range(options.pairs):
                pairs.append(_pair(database, token, options, number))
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
    if not pairs:
        return 1
    found = verdict(pairs, INTERVAL_S)
    about = {"machine": machine, "options": vars(options) | {"json": str(options.json)}}
    runs = [[asdict(figures) for figures in pair] for pair in pairs]
    keep(options.json, about | {"verdict": found, "pairs": runs})
    print(f"{table(pairs)}\n\n{json.dumps(found, indent=1)}")
    return 0 if found["ack_reached"] and found["screen_reached"] else 1


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.live",
        description="What dashboards cost. docs/benchmarks.md reads the table.",
    )
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", default=LATEST, help=f"every figure ({LATEST})")
    add("--engine", choices=DATABASES, default="sqlite")
    add("--pairs", type=int, default=5)
    add("--seconds", type=float, default=30.0, help="of one run")
    add("--dashboards", type=int, default=DASHBOARDS)
    add("--stored", type=int, default=1_000_000, help="readings stored already")
    return parser.parse_args(arguments)


def _probe_token(database: Database) -> str:
    command = [sys.executable, "manage.py", "adddevice", UID]
    return run(command, database.environment(database.hub_url)).strip()


def _pair(database: Database, token: str, options: argparse.Namespace, number: int) -> Pair:
    counts = [0, options.dashboards]
    found = {}
    for count in counts if number % 2 == 0 else counts[::-1]:
        found[count] = _measure(database, token, count, options.seconds)
        say(table([(found[count],) * 2]).splitlines()[-1])
    return found[0], found[options.dashboards]


def _measure(database: Database, token: str, dashboards: int, seconds: float) -> Figures:
    with ExitStack() as stack:
        server = stack.enter_context(servers.hub(database, GRACE_S))
        probe = stack.enter_context(_program(database, "probe", server.url, token))
        login = (str(server.port), *LOGIN)
        audiences, pages = [], []
        if dashboards:
            page = stack.enter_context(_program(database, "page", *login))
            pages = [page] if _line(page) == "open" else []
            for share in _shared(dashboards - len(pages)):
                audience = _program(database, "audience", *login, str(share))
                audiences.append(stack.enter_context(audience))
            for audience_program in audiences:
                _expect(audience_program, "open")
        began_s = time.time() + CONNECT_S
        order = Order(server.url, str(database.tokens), "sample", seconds, 0.0, began_s, rate=1.0)
        sent = send(database, server, order)
        ended_s = began_s + seconds
        seen = [_stopped(program) for program in (*pages, *audiences)]
        acked = dict(_stopped(probe)["acked"])
    if sent.result["rejected"] or sent.result["reconnects"]:
        raise Trouble(f"The hub did not take what it should: {sent.result}")
    if lost := sum(told.get("lost", 0) for told in seen):
        raise Trouble(f"{lost} dashboards were lost")
    screened, heard = seen[: len(pages)], seen[len(pages) :]
    during = (began_s + WARM_UP_S, ended_s - MOST_LATE_S)
    return Figures(
        dashboards=dashboards,
        ack_p50_ms=sent.result["ack_p50_ms"],
        ack_p99_ms=sent.result["ack_p99_ms"],
        cpu=sent.usage.cpu_s / seconds,
        foreign=sent.foreign,
        client_busy=sent.client_busy,
        messages=sum(told["messages"] for told in heard),
        heard_s=[s for told in heard for s in latencies(acked, told["seen"], *during)],
        screen_s=[s for told in screened for s in latencies(acked, told["seen"], *during)],
    )


def _shared(dashboards: int) -> list[int]:
    return [dashboards // PROGRAMS + (n < dashboards % PROGRAMS) for n in range(PROGRAMS)]


@contextmanager
def _program(database: Database, name: str, *arguments: str) -> Iterator[Program]:
    """A client on the clients' core; killed at the end, if it still runs."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    with subprocess.Popen(
        pinned(database.cores.client, command), cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def _line(program: Program) -> str:
    assert program.stdout is not None
    return program.stdout.readline().strip()


def _expect(program: Program, word: str) -> None:
    said = _line(program)
    if said != word:
        raise Trouble(f"a dashboard does not open: {said}")


def _stopped(program: Program) -> dict[str, Any]:
    """What it says at its end."""
    program.send_signal(signal.SIGTERM)
    told: dict[str, Any] = json.loads(_line(program) or "{}")
    program.wait(ANSWER_S)
    return told


if __name__ == "__main__":
    sys.exit(main())
