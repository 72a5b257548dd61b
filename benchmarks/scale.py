"""Whether ingest stays as fast while what is stored grows a hundredfold, on either engine.

    python -m benchmarks.scale [--readings N] [--small N] [--engine sqlite|postgresql] [--make]

For each engine two databases are made by `benchmarks.scale_fill` and kept in `var/bench/scale`, a
small and a large one. Rounds of `benchmarks.scaled` alternate between a fresh copy of the small one
and the large one, which grows by what its rounds store. PostgreSQL is a private server with its
default settings. docs/benchmarks.md reads the table.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg

from benchmarks import Trouble
from benchmarks.databases import BENCH, copy, run
from benchmarks.machine import cores, described
from benchmarks.programs import heading, keep
from benchmarks.report import TITLES
from tests.servers import CannotStart, Postgres, find_postgres

LATEST: Final = Path("benchmarks/results/scale.json")
READINGS, SMALL, ROUNDS, ROUND_READINGS = 100_000_000, 1_000_000, 5, 2_000_000
WANTED: Final = 0.8
THINGSBOARD_BYTES: Final = 163  # a reading on PostgreSQL, as published
AGO_S: Final = 12 * 3600
HEAD: Final = ("engine", "readings", "stored before", "readings/s", "×", "CPU s/M", "×")

Figures = dict[str, dict[str, float]]


class Place(ABC):
    """One engine's databases, `small` and `large`, kept in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def make(self, name: str) -> str:
        """The URL of a new, empty database."""

    @abstractmethod
    def copy_of_small(self) -> str:
        """The URL of a copy that replaces the last one."""

    @abstractmethod
    def url(self, name: str) -> str: ...

    pids: tuple[str, ...] = ()


class SqlitePlace(Place):
    def url(self, name: str) -> str:
        return f"sqlite:///{self.folder / name}.sqlite3"

    def make(self, name: str) -> str:
        for left in self.folder.glob(f"{name}.sqlite3*"):
            left.unlink()
        return self.url(name)

    def copy_of_small(self) -> str:
        url = self.make("copy")
        shutil.copyfile(self.folder / "small.sqlite3", self.folder / "copy.sqlite3")
        os.sync()
        return url


class _KeptPostgres(Postgres):
    """A private server whose databases stay, in a folder beside its own."""

    LAST = signal.SIGINT

    def __init__(self, programs: Path, kept: Path) -> None:
        self._kept = kept
        super().__init__(programs)

    def _initdb(self) -> None:
        stored, password = self._kept / "stored", self._kept / "password"
        if not stored.exists():
            super()._initdb()
            copy(self.folder / "stored", stored)
            shutil.rmtree(self.folder / "stored")
            password.write_text(self.password)
        self.password = password.read_text()
        (self.folder / "stored").symlink_to(stored)


class PostgresPlace(Place):
    def __init__(self, folder: Path, server: _KeptPostgres) -> None:
        super().__init__(folder)
        self._server = server
        pid = (folder / "stored" / "postmaster.pid").read_text().splitlines()[0]
        self.pids = (pid,)

    def url(self, name: str) -> str:
        return urlsplit(self._server.url)._replace(path=f"/{name}").geturl()

    def make(self, name: str) -> str:
        self._execute(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        return self.url(name)

    def copy_of_small(self) -> str:
        self._execute("DROP DATABASE IF EXISTS copy", "CREATE DATABASE copy TEMPLATE small")
        self._execute("CHECKPOINT")
        return self.url("copy")

    def _execute(self, *statements: str) -> None:
        with psycopg.connect(self._server.url, autocommit=True) as db:
            for statement in statements:
                db.execute(statement)


@contextmanager
def _place(engine: str) -> Iterator[Place]:
    folder = BENCH / "scale" / engine
    folder.mkdir(parents=True, exist_ok=True)
    if engine == "sqlite":
        yield SqlitePlace(folder)
        return
    programs = find_postgres()
    if programs is None:
        raise Trouble("PostgreSQL is not installed; `--engine sqlite` leaves it out.")
    try:
        server = _KeptPostgres(programs, folder).__enter__()
    except CannotStart as error:
        raise Trouble(f"PostgreSQL cannot start in {folder}: {error}") from None
    try:
        yield PostgresPlace(folder, server)
    finally:
        server.close()


def _made(place: Place, name: str, readings: int) -> dict[str, Any]:
    """What is known of a database, which is made if it is not there."""
    known = place.folder / f"{name}.json"
    if known.exists():
        said: dict[str, Any] = json.loads(known.read_text())
        if said["asked"] == readings:
            return said
    known.unlink(missing_ok=True)
    end_us = int(time.time() - AGO_S) // 3600 * 3600 * 1_000_000
    url = place.make(name)
    print(f"making {readings:,} readings, kept in {place.folder}", file=sys.stderr)
    said = json.loads(run_program("scale_fill", url, readings, end_us))
    said |= {"asked": readings, "end_us": end_us, "from_us": end_us, "rounds": 0}
    known.write_text(json.dumps(said))
    return said


def _round(place: Place, name: str, url: str, readings: int) -> Figures:
    known = place.folder / f"{name}.json"
    said = json.loads(known.read_text())
    place_in_time = (said["from_us"], said["end_us"], said["days"], said["rounds"])
    figures = json.loads(run_program("scaled", url, readings, *place_in_time, *place.pids))
    if name == "large":  # the copy of the small one goes
        said |= {"from_us": int(figures["until_us"]), "rounds": said["rounds"] + 1}
        known.write_text(json.dumps(said))
    kinds: Figures = figures["kinds"]
    return kinds


def run_program(program: str, url: str, *arguments: object) -> str:
    """The last line that one of our programs printed, on the database at `url`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WEIR_", "REDIS_URL"))}
    environment = kept | {"DATABASE_URL": url, "WEIR_DATA_DIR": str(BENCH)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, "-m", f"benchmarks.{program}", *map(str, arguments)]
    return run(command, environment).splitlines()[-1]


def measured(place: Place, options: argparse.Namespace) -> dict[str, Any]:
    sizes = {"small": options.small, "large": options.readings}
    made = {name: _made(place, name, readings) for name, readings in sizes.items()}
    rounds: dict[str, list[Figures]] = {"small": [], "large": []}
    if not options.make:
        for number in range(options.rounds):
            for name in ("small", "large") if number % 2 else ("large", "small"):
                url = place.copy_of_small() if name == "small" else place.url("large")
                rounds[name].append(_round(place, name, url, options.round_readings))
    return {"made": made, "rounds": rounds}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parsed(arguments)
    found: dict[str, Any] = {}
    try:
        machine = described(cores())
        for engine in options.engine:
            with _place(engine) as place:
                found[engine] = measured(place, options)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    if options.make:
        return 0
    said = {"machine": machine, "at_end": time.time(), "engines": found}
    keep(options.json, said)
    print(f"{heading(machine)}\n\n{table(found)}")
    return 0


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description="Ingest at a hundred times as much. docs/benchmarks.md reads the table.",
    )
    add = parser.add_argument
    add("--readings", type=int, default=READINGS, help="of the large database (%(default)s)")
    add("--small", type=int, default=SMALL, help="of the small one (%(default)s)")
    add("--rounds", type=int, default=ROUNDS, help="of each (%(default)s)")
    add("--round-readings", type=int, default=ROUND_READINGS, help="a round (%(default)s)")
    add("--engine", action="append", choices=TITLES, help="only this one (may be repeated)")
    add("--make", action="store_true", help="only make what is kept")
    add("--json", type=Path, metavar="FILE", default=LATEST, help=f"every figure ({LATEST})")
    options = parser.parse_args(arguments)
    options.engine = options.engine or list(TITLES)
    return options


def table(found: dict[str, Any]) -> str:
    """Medians; `!` marks readings on time that come in less than 0.8 times as fast. Pure."""
    lines: list[tuple[str, ...]] = [HEAD]
    notes = []
    for engine, said in found.items():
        for kind in said["rounds"]["small"][0]:
            rate: dict[str, float] = {}
            cpu: dict[str, float] = {}
            for name in ("small", "large"):
                each = [figures[kind] for figures in said["rounds"][name]]
                rate[name] = statistics.median(f["readings"] / f["wall_s"] for f in each)
                cpu[name] = statistics.median(f["cpu_s"] / f["readings"] * 1e6 for f in each)
                times = f"{rate[name] / rate['small']:.2f}" if name == "large" else ""
                slow = kind == "on time" and rate[name] < WANTED * rate["small"]
                lines.append(
                    (
                        TITLES[engine],
                        kind,
                        f"{said['made'][name]['readings']:,}",
                        f"{rate[name]:,.0f}",
                        times + (" !" if slow else ""),
                        f"{cpu[name]:.2f}",
                        f"{cpu[name] / max(cpu['small'], 1e-9):.2f}" if times else "",
                    )
                )
        notes.append(_sizes(TITLES[engine], said["made"]["large"]))
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    aligned = [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join([*aligned, "", *notes])


def _sizes(title: str, made: dict[str, Any]) -> str:
    each = {name: size / made["readings"] for name, size in made["bytes"].items()}
    return (
        f"{title}: {made['readings']:,} readings of {made['days']} days;"
        f" {each['readings']:.0f} bytes a reading, {each['rollups']:.0f} more for its rollups;"
        f" ThingsBoard publishes {THINGSBOARD_BYTES} on PostgreSQL"
    )


if __name__ == "__main__":
    raise SystemExit(main())
