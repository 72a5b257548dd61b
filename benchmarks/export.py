"""What an export costs: how fast it comes, what memory it takes, and what devices notice of it.

    python -m benchmarks.export [--readings 1000000] [--engine sqlite|postgresql] [--json FILE]

A real hub with its defaults, a receiver that takes as fast as it can and sums what comes, and one
device that sends a frame as soon as the one before it is acked, with an export and without.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from websockets.sync.client import connect

from benchmarks import Trouble
from benchmarks.dashboard import log_in
from benchmarks.databases import LOGIN, Database
from benchmarks.programs import each_engine
from benchmarks.servers import Server, hub
from benchmarks.usage import peak_bytes, used

LATEST: Final = Path("benchmarks/results/export.json")
WANTED_BYTES: Final = 150_000_000
QUIET_S: Final = 5.0
SUFFIXES: Final = ("csv", "ndjson")
GRACE_S: Final = 10.0
RECEIVED_BYTES: Final = 1 << 18
HEAD: Final = (
    "engine",
    "export",
    "readings",
    "MB",
    "readings/s",
    "hub CPU s",
    "hub grew MB",
    "ack ms p50 p99",
)


def main(arguments: Sequence[str] | None = None) -> int:
    about = "What an export costs. docs/benchmarks.md reads the table."
    return each_engine("export", about, LATEST, "exports", arguments, _measured, table)


def _measured(database: Database) -> Iterator[dict[str, Any]]:
    """One row for the device alone, and one for each format."""
    with hub(database, GRACE_S) as server:
        cookie = log_in(server.port, *LOGIN)
        with acks_of(database, server) as acks_ms:
            time.sleep(QUIET_S)
        yield {"engine": database.name, "export": "none", "ack_ms": ends(acks_ms)}
        for suffix in SUFFIXES:
            before_bytes, before = peak_bytes(server.pid), used(server.pid)
            with acks_of(database, server) as acks_ms:
                came = _received(server.port, cookie, suffix)
            yield {
                "engine": database.name,
                "export": suffix,
                **came,
                "cpu_s": (used(server.pid) - before).cpu_s,
                "grew_bytes": peak_bytes(server.pid) - before_bytes,
                "ack_ms": ends(acks_ms),
            }


def _received(port: int, cookie: str, suffix: str) -> dict[str, float]:
    """Take an export of everything that is old enough to stay as it is; Trouble if not whole."""
    summed, size_bytes, last = hashlib.sha256(), 0, b""
    began_s = time.monotonic()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", f"/api/v1/export.{suffix}?to=now-1h", headers={"Cookie": cookie})
        answer = connection.getresponse()
        while part := answer.read1(RECEIVED_BYTES):
            size_bytes += len(part)
            last += part
            if len(last) > RECEIVED_BYTES:  # the end is not in what is summed
                summed.update(last[:-RECEIVED_BYTES])
                last = last[-RECEIVED_BYTES:]
    seconds = time.monotonic() - began_s
    before, _, end = last.rstrip(b"\r\n").rpartition(b"\n")
    summed.update(before + b"\n")
    if summed.hexdigest().encode() not in end:
        raise Trouble(f"The {suffix} export is not whole: {end[-200:]!r}")
    readings = int(end.partition(b"rows")[2].lstrip(b'=":').partition(b",")[0])
    return {"readings": readings, "size_bytes": size_bytes, "readings_per_s": readings / seconds}


@contextmanager
def acks_of(database: Database, server: Server) -> Iterator[list[float]]:
    """How long each ack took, of a device that sends throughout."""
    token = json.loads(database.tokens.read_text().splitlines()[0])["token"]
    took_ms: list[float] = []
    done = threading.Event()

    def send() -> None:
        bearer = {"Authorization": f"Bearer {token}"}
        with connect(server.url, subprotocols=["weir.v1"], additional_headers=bearer) as device:  # type: ignore[list-item]
            while not done.is_set():
                began_s = time.monotonic()
                device.send('{"temperature": 21.5, "humidity": 40.0, "co2": 400.0}')
                device.recv(timeout=60)
                took_ms.append(1_000 * (time.monotonic() - began_s))

    sending = threading.Thread(target=send)
    sending.start()
    try:
        yield took_ms
    finally:
        done.set()
        sending.join()


def ends(acks_ms: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    cut = quantiles(acks_ms, n=100)
    return cut[49], cut[98]


def table(found: Sequence[dict[str, Any]]) -> str:
    """One line an export; `!` marks memory beyond what is wanted."""
    lines = [HEAD, *map(_line, found)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _line(of: dict[str, Any]) -> tuple[str, ...]:
    acks = "{:.1f} {:.1f}".format(*of["ack_ms"])
    if of["export"] == "none":
        return (of["engine"], "none", "", "", "", "", "", acks)
    much = " !" if of["grew_bytes"] > WANTED_BYTES else ""
    return (
        of["engine"],
        of["export"],
        f"{of['readings']:,}",
        f"{of['size_bytes'] / 1e6:.1f}",
        f"{of['readings_per_s']:,.0f}",
        f"{of['cpu_s']:.1f}",
        f"{of['grew_bytes'] / 1e6:.1f}{much}",
        acks,
    )


if __name__ == "__main__":
    raise SystemExit(main())
