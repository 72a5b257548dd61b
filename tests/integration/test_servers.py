"""The tests' own servers: private, restartable, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis

from tests.servers import Postgres, Redis, create_database, drop_database

DEADLINE_S = 60.0


def eventually(true: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + DEADLINE_S
    while not true():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)
    return True


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_postgres_promises_what_a_hub_demands(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            row = connection.execute(f"SHOW {setting}").fetchone()
            assert row == ("on",), setting


def test_two_databases_share_nothing(postgres_database: Callable[[], str]) -> None:
    one, other = postgres_database(), postgres_database()
    with psycopg.connect(one) as connection:
        connection.execute("CREATE TABLE here (x int)")
    with psycopg.connect(other) as connection:
        assert connection.execute("SELECT to_regclass('here')").fetchone() == (None,)


def test_a_database_is_dropped_though_somebody_is_connected(postgres_server_url: str) -> None:
    url = create_database(postgres_server_url)
    with psycopg.connect(url):
        drop_database(url)
    assert not answers(url)


def test_a_database_of_somebody_else_is_never_dropped(postgres_server_url: str) -> None:
    with pytest.raises(AssertionError):
        drop_database(postgres_server_url)


def test_postgres_keeps_what_it_stored_over_a_restart(own_postgres: Postgres) -> None:
    url = own_postgres.url
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (x int)")
    own_postgres.stop()
    assert not answers(url)
    own_postgres.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_postgres_keeps_what_it_stored_when_it_is_killed(own_postgres: Postgres) -> None:
    url = own_postgres.url
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (x int)")
        connection.commit()
        own_postgres.kill()
    assert not answers(url)
    own_postgres.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_a_frozen_redis_says_nothing_and_goes_on_where_it_was(own_redis: Redis) -> None:
    with redis.Redis.from_url(own_redis.url, socket_timeout=0.5) as client:
        client.set("x", 1)
        own_redis.freeze()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        own_redis.thaw()
        assert eventually(lambda: client.get("x") == b"1")


def test_redis_starts_empty_and_on_the_same_port_again(own_redis: Redis) -> None:
    with redis.Redis.from_url(own_redis.url) as client:
        client.set("x", 1)
        own_redis.stop()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        own_redis.start()
        assert client.get("x") is None


def test_a_closed_server_leaves_no_folder(redis_program: Path) -> None:
    with Redis(redis_program) as server:
        assert server.folder.exists()
    assert not server.folder.exists()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_dies_with_the_tests_that_started_it(
    how: signal.Signals, postgres_programs: Path
) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(postgres_programs)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert starter.stdout is not None
    with starter.stdout:
        url, folder = starter.stdout.readline().split()
    assert answers(url)
    os.kill(starter.pid, how)
    starter.wait()
    assert eventually(lambda: not answers(url))
    assert eventually(lambda: not Path(folder).exists())


STARTER = """
import signal, sys
from pathlib import Path
from tests.servers import Postgres

with Postgres(Path(sys.argv[1])) as server:
    print(server.url, server.folder, flush=True)
    signal.pause()
"""
