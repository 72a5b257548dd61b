"""Where a fault is made: databases, hubs, fleets and servers of its own, ended with it.

All that runs here are real programs; what a hub is asked and told passes over its own doors.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

from faults import Missing, Row
from faults.ground import Ground, postgres_programs
from tests.hubs import Hub, Store, manage
from tests.programs import ZEROS, Simulators, differences, reconciled
from tests.servers import Postgres, Redis, create_database, find_redis

T = TypeVar("T")


class Fleet(Simulators):
    """Simulators with a ledger."""

    def __init__(
        self, hub: Hub, tokens: Path, ledger: Path, command: str, *arguments: str, url: str = ""
    ) -> None:
        self.ledger = ledger
        given = ["--ledger", str(ledger), *(["--url", url] if url else [])]
        super().__init__(hub, tokens, command, *arguments, *given)


class Place:
    """One fault on one engine, once. `rng` is drawn from `seed` and nothing else is random."""

    def __init__(
        self, title: str, engine: str, ground: Ground, folder: Path, *, short: bool, seed: int
    ) -> None:
        self.title = title
        self.engine = engine
        self.short = short
        self.seed = seed
        self.rng = random.Random(seed)
        self.folder = folder
        self.hubs: list[Hub] = []
        self.fleets: list[Fleet] = []
        self._ground = ground
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def scale(self, short: T, long: T) -> T:
        return short if self.short else long

    def store(self, server: Postgres | None = None) -> Store:
        """An empty, migrated database of this place's engine; on `server` if one is given."""
        if server is not None:
            return Store.migrated(create_database(server.url))
        return self._ground.store(self.engine, self._new_folder("store"), self._stack)

    def hub(self, store: Store, *, redis_url: str = "", start: bool = True, **options: Any) -> Hub:
        """A hub on `store`, which has started; `options` are its WEIR_* settings."""
        hub = Hub(store, self._new_folder("hub"), redis_url=redis_url, options=options)
        self._stack.callback(hub.kill)
        self.hubs.append(hub)
        return hub.start() if start else hub

    def postgres(self) -> Postgres:
        """A PostgreSQL of this place's own, to stop, kill and start again."""
        return self._stack.enter_context(Postgres(postgres_programs()))

    def redis(self) -> Redis:
        """A Redis of this place's own."""
        found = find_redis()
        if found is None:
            raise Missing("Redis", "no redis-server found: install Redis")
        return self._stack.enter_context(Redis(found))

    def tokens(self, store: Store, devices: int, prefix: str = "sim-") -> Path:
        """So many new devices, with their tokens in a file as simulators read it."""
        path = self._new_folder("tokens") / "tokens"
        manage(store.url, "makefleet", str(devices), "--tokens", str(path), "--prefix", prefix)
        return path

    def fleet(self, hub: Hub, tokens: Path, command: str, *arguments: str, url: str = "") -> Fleet:
        """`python -m simulators COMMAND`, started, with a ledger; at `url` instead of the hub's."""
        ledger = self._new_folder("fleet") / "ledger"
        fleet = self._stack.enter_context(Fleet(hub, tokens, ledger, command, *arguments, url=url))
        self.fleets.append(fleet)
        return fleet

    def row(
        self,
        store: Store,
        *,
        done: str,
        seen: str,
        figures: Mapping[str, float] | None = None,
        ledgers: tuple[Path, ...] = (),
    ) -> Row:
        """The row, once this place's ledgers and `ledgers` agree with `store` to the last reading.

        Nobody may write any more. No hub may have met a bug of its own on the way.
        """
        for hub in self.hubs:
            assert "Traceback" not in hub.log, hub.log[hub.log.index("Traceback") - 200 :][:4000]
        report = reconciled(store, *(fleet.ledger for fleet in self.fleets), *ledgers)
        found = differences(report)
        assert found == ZEROS, f"{found}: {report['examples']}"
        attempted = report["attempted"]
        return Row(self.title, self.engine, done, seen, found, attempted, dict(figures or {}))

    def _new_folder(self, name: str) -> Path:
        for n in range(1, 10_000):
            folder = self.folder / f"{name}-{n}"
            if not folder.exists():
                folder.mkdir(parents=True)
                return folder
        raise AssertionError(f"ten thousand folders {name}")
