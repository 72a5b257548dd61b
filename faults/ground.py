"""What faults share, made when first asked for: a PostgreSQL server, and databases to copy."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from faults import Missing
from tests.hubs import Store
from tests.servers import Postgres, create_database, drop_database, find_postgres


class Ground:
    """Servers and migrated databases for as long as the context lasts, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._server_url = os.environ.get("WEIR_TEST_POSTGRES_URL", "")
        self._migrated: dict[str, Store] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def store(self, engine: str, folder: Path, stack: ExitStack) -> Store:
        """An empty, migrated database, kept in `folder` or dropped by `stack`."""
        if engine not in self._migrated:
            self._migrated[engine] = Store.migrated(self._empty(engine))
        store = self._migrated[engine].copy(folder)
        if not store.is_sqlite:
            stack.callback(drop_database, store.url)
        return store

    def _empty(self, engine: str) -> str:
        if engine == "sqlite":
            return f"sqlite:///{self.folder / 'migrated.sqlite3'}"
        url = create_database(self._postgres_url())
        self._stack.callback(drop_database, url)
        return url

    def _postgres_url(self) -> str:
        if not self._server_url:
            self._server_url = self._stack.enter_context(Postgres(postgres_programs())).url
        return self._server_url


def postgres_programs() -> Path:
    found = find_postgres()
    if found is None:
        raise Missing("PostgreSQL", "no initdb found: install PostgreSQL")
    return found
