"""An engine that fails when it is told to, around a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from ingest.storage import Engine, OutcomeUnknown, Poison, Row, Rows, Trouble


class Bug(Exception):
    """A mistake of ours that nobody foresaw."""


class FailingEngine:
    """Passes every call on, but for what its verbs arranged. `calls` are the names, in order."""

    def __init__(self, engine: Engine) -> None:
        self.real = engine
        self.calls: list[str] = []
        self.rows: list[int] = []  # how many each insert was given
        self._failures: list[tuple[str, Exception]] = []
        self._lost: list[bool] = []
        self._poison: list[object] = []
        self._bugs: list[object] = []
        self._away: Exception | None = None
        self._instead: dict[str, Callable[[], None]] = {}

    @property
    def weakness(self) -> str | None:
        return self.real.weakness

    def fail_next(self, error: Exception, at: str = "begin") -> None:
        """The next call of `at` raises `error`; said twice, the one after it does too."""
        self._failures.append((at, error))

    def fail_while_away(self, error: Exception | None) -> None:
        """Every call raises `error`, until this is said again with None."""
        self._away = error

    def lose_the_answer_of_commit(self, committed: bool) -> None:
        """The next COMMIT happens, or does not, and its connection is cut before the answer."""
        self._lost.append(committed)

    def refuse_value(self, value: object) -> None:
        """The database will never take this value."""
        self._poison.append(value)

    def break_on(self, value: object) -> None:
        """A bug of ours meets this value."""
        self._bugs.append(value)

    def before(self, name: str, do: Callable[[], None]) -> None:
        """Run `do` before the next call of `name`."""
        self._instead[name] = do

    def insert(self, rows: Rows, late: Rows) -> Any:
        self._enter("insert")
        self.rows.append(len(rows) + len(late))
        self._look_at([*rows, *late])
        return self.real.insert(rows, late)

    def insert_texts(self, rows: Rows) -> Any:
        self._enter("insert_texts")
        self._look_at(rows)
        return self.real.insert_texts(rows)

    def commit(self) -> None:
        self._enter("commit")
        if not self._lost:
            return self.real.commit()
        if self._lost.pop(0):
            self.real.commit()
        self.real.close()
        raise OutcomeUnknown("the connection was cut while COMMIT was under way")

    def happened(self, claims: Sequence[Any]) -> bool:
        """As `Engine.happened`, for SQLite too, whose own COMMIT always has an answer."""
        self._enter("happened")
        held = self.real.begin([claim.stream_id for claim in claims])
        self.real.rollback()
        return any(
            held.get(claim.stream_id, (None, 0))[0] == claim.epoch
            and held[claim.stream_id][1] >= claim.last
            for claim in claims
        )

    def __getattr__(self, name: str) -> Any:
        passed_on = getattr(self.real, name)

        def call(*arguments: Any) -> Any:
            self._enter(name)
            return passed_on(*arguments)

        return call

    def _enter(self, name: str) -> None:
        self.calls.append(name)
        if self._away is not None and name not in {"rollback", "close"}:
            raise self._away
        if name in self._instead:
            self._instead.pop(name)()
        for index, (at, error) in enumerate(self._failures):
            if at == name:
                del self._failures[index]
                raise error

    def _look_at(self, rows: Iterable[Row]) -> None:
        for _, _, value in rows:
            if value in self._bugs:
                raise Bug(f"met {value!r}")
            if value in self._poison:
                raise Poison(f"{value!r} cannot be stored")


def failing(engine: Engine) -> tuple[FailingEngine, Engine]:
    """The same thing twice: to arrange failures with, and to use as an engine."""
    wrapped = FailingEngine(engine)
    return wrapped, cast(Engine, wrapped)


__all__ = ["Bug", "FailingEngine", "Trouble", "failing"]
