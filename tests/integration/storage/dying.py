"""A database connection whose process dies before its n-th statement."""

from __future__ import annotations

from typing import Any, Self

from tests.integration.storage.stage import Hub


class Died(BaseException):
    """The process is no more; nothing of it runs, no clean-up either."""


class DyingConnection:
    """Around sqlite3's or psycopg's: `statements` more are let through."""

    def __init__(self, real: Any, statements: int) -> None:
        self.real = real
        self.statements = statements

    def _live(self) -> None:
        if self.statements == 0:
            raise Died
        self.statements -= 1

    def execute(self, *arguments: Any) -> Any:
        self._live()
        return self.real.execute(*arguments)

    def executemany(self, *arguments: Any) -> Any:
        self._live()
        return self.real.executemany(*arguments)

    def cursor(self) -> Any:
        self._live()
        return self.real.cursor()

    def __enter__(self) -> Self:
        self.real.__enter__()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Any:
        return None if kind is Died else self.real.__exit__(kind, error, trace)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def dies_before(hub: Hub, statement: int) -> None:
    """The process of `hub` dies before its statement of that number, the first being 0."""
    hub.engine.ping()  # the connection is open
    engine: Any = hub.engine
    engine._open = DyingConnection(engine._open, statement)


def bury(hub: Hub) -> None:
    """The system cuts the dead process's connection, and another process begins."""
    engine: Any = hub.engine
    engine._open = engine._open.real
    hub.crash()
