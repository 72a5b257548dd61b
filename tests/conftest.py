"""What every test may ask for: databases and servers of its own.

A group of tests whose server is not to be had is left out, and named in one line at the end; with
CI=true it fails instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import redis

from tests.hubs import Store
from tests.servers import (
    Postgres,
    Redis,
    create_database,
    drop_database,
    find_nginx,
    find_postgres,
    find_redis,
)

left_out = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[left_out] = {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells what it left out to the program that prints."""
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["left_out"] = session.config.stash[left_out]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[left_out] |= getattr(node, "workeroutput", {}).get("left_out", {})


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for group, why in config.stash[left_out].items():
        terminalreporter.write_line(f"left out: the tests on {group} ({why})", yellow=True)


@pytest.fixture(scope="session")
def leave_out(pytestconfig: pytest.Config) -> Callable[[str, str], NoReturn]:
    """Skip the test because its group, `PostgreSQL` say, cannot run here; `why` is one line."""

    def leave_out(group: str, why: str) -> NoReturn:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{group} is not to be left out with CI=true: {why}", pytrace=False)
        pytestconfig.stash[left_out][group] = why
        pytest.skip(f"left out: {group}: {why}")

    return leave_out


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The DATABASE_URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'weir.sqlite3'}"


@pytest.fixture(scope="session")
def postgres_programs(leave_out: Callable[[str, str], NoReturn]) -> Path:
    return find_postgres() or leave_out(
        "PostgreSQL", "no initdb found: install PostgreSQL, or set WEIR_TEST_POSTGRES_URL"
    )


@pytest.fixture(scope="session")
def postgres_server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The server that the tests share: to make databases on, not to stop."""
    given = os.environ.get("WEIR_TEST_POSTGRES_URL")
    if given:
        yield given
    else:
        with Postgres(request.getfixturevalue("postgres_programs")) as server:
            yield server.url


@pytest.fixture(scope="session")
def postgres_database(postgres_server_url: str) -> Iterator[Callable[[], str]]:
    """A function that returns the DATABASE_URL of a new, empty PostgreSQL database."""
    made: list[str] = []

    def postgres_database() -> str:
        made.append(create_database(postgres_server_url))
        return made[-1]

    yield postgres_database
    for url in made:
        drop_database(url)


@pytest.fixture(scope="module")
def postgres_url(postgres_database: Callable[[], str]) -> str:
    """The DATABASE_URL of an empty PostgreSQL database of this module's own."""
    return postgres_database()


@pytest.fixture(scope="session")
def sqlite_stores(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Store]:
    folder = tmp_path_factory.mktemp("migrated")
    migrated = Store.migrated(f"sqlite:///{folder / 'weir.sqlite3'}")
    return lambda: migrated.copy(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def postgres_stores(
    postgres_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Store]]:
    migrated = Store.migrated(postgres_database())
    made: list[Store] = []

    def copy() -> Store:
        made.append(migrated.copy(tmp_path_factory.mktemp("store")))
        return made[-1]

    yield copy
    for store in made:
        drop_database(store.url)


@pytest.fixture(scope="session")
def new_store(request: pytest.FixtureRequest) -> Callable[[str], Store]:
    """A function that gives an empty database of the engine named: a copy of one migrated once."""

    def new_store(engine: str) -> Store:
        which = "sqlite_stores" if engine == "sqlite" else "postgres_stores"
        copy: Callable[[], Store] = request.getfixturevalue(which)
        return copy()

    return new_store


@pytest.fixture
def own_postgres(postgres_programs: Path) -> Iterator[Postgres]:
    """A PostgreSQL server of this test's own, to stop and start."""
    with Postgres(postgres_programs) as server:
        yield server


@pytest.fixture(scope="session")
def redis_program(leave_out: Callable[[str, str], NoReturn]) -> Path:
    return find_redis() or leave_out(
        "Redis", "no redis-server found: install Redis, or set WEIR_TEST_REDIS_URL"
    )


@pytest.fixture(scope="session")
def nginx_program(leave_out: Callable[[str, str], NoReturn]) -> Path:
    return find_nginx() or leave_out("nginx", "no nginx found: install nginx-light")


@pytest.fixture(scope="session")
def redis_server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    given = os.environ.get("WEIR_TEST_REDIS_URL")
    if given:
        yield given
    else:
        with Redis(request.getfixturevalue("redis_program")) as server:
            yield server.url


@pytest.fixture
def redis_url(redis_server_url: str) -> str:
    """The REDIS_URL of an empty Redis, which the tests share one after the other."""
    with redis.Redis.from_url(redis_server_url) as client:
        client.flushdb()
    return redis_server_url


@pytest.fixture
def own_redis(redis_program: Path) -> Iterator[Redis]:
    """A Redis server of this test's own, to stop and start."""
    with Redis(redis_program) as server:
        yield server
