"""`manage.py demo` as a newcomer runs it, twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.forks import MANAGE, Started, start
from tests.servers import free_port

DEADLINE_S = 60.0


class Demo:
    """The command on a database of its own; `end` gives what it printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("WEIR_") and name not in ("DATABASE_URL", "REDIS_URL")
        } | {"WEIR_DATA_DIR": str(folder)}
        self.running: list[Started] = []
        self.manage("migrate", "--verbosity", "0").wait(DEADLINE_S)

    def manage(self, *arguments: str) -> Started:
        with (self.folder / "printed").open("wb") as printed:
            started = start([*MANAGE, *arguments], self.environment, printed, printed)
        self.running.append(started)
        return started

    def start(self, *arguments: str) -> Started:
        return self.manage("demo", "--port", str(free_port()), *arguments)

    def printed(self) -> str:
        return (self.folder / "printed").read_text()

    def readings(self) -> int:
        with closing(sqlite3.connect(self.folder / "weir.sqlite3")) as db:
            return int(db.execute("SELECT count(*) FROM ingest_reading").fetchone()[0])

    def wait_for(self, what: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not what():
            assert time.monotonic() < deadline_s, self.printed()
            assert self.running[-1].poll() is None, self.printed()
            time.sleep(0.05)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path)
    yield demo
    for each in demo.running:
        each.kill()
        each.wait()


def test_the_first_run_shows_a_login_and_streams_and_the_second_keeps_both(demo: Demo) -> None:
    first = demo.start()
    demo.wait_for(lambda: demo.readings() > 8)
    first.send_signal(signal.SIGINT)
    assert first.wait(DEADLINE_S) == 0
    assert "Login: admin, password " in demo.printed()
    assert "http://127.0.0.1:" in demo.printed()
    tokens = demo.folder / "demo-tokens.jsonl"
    assert tokens.stat().st_mode & 0o777 == 0o600
    uids = [json.loads(line)["uid"] for line in tokens.read_text().splitlines()]
    assert len(uids) == 8
    assert uids[0] in demo.printed()
    kept = demo.readings()

    second = demo.start()
    demo.wait_for(lambda: demo.readings() > kept)
    second.send_signal(signal.SIGTERM)
    assert second.wait(DEADLINE_S) == 0
    assert "password was shown when it was made" in demo.printed()
    assert len(tokens.read_text().splitlines()) == 8


def test_the_login_is_off_where_others_reach_the_hub(demo: Demo) -> None:
    running = demo.start("--host", "0.0.0.0", "--without-fleet")
    demo.wait_for(lambda: "the hub listens" in demo.printed())
    running.send_signal(signal.SIGINT)
    assert running.wait(DEADLINE_S) == 0
    assert "password" not in demo.printed()
    assert "createsuperuser" in demo.printed()
    assert "http://0.0.0.0" not in demo.printed()
    with closing(sqlite3.connect(demo.folder / "weir.sqlite3")) as db:
        assert db.execute("SELECT count(*) FROM auth_user").fetchone() == (0,)


def test_a_hub_that_ends_by_itself_is_told_and_ends_the_demo(demo: Demo) -> None:
    demo.start("--without-fleet")
    demo.wait_for(lambda: "the hub listens" in demo.printed())
    second = demo.start("--without-fleet")
    assert second.wait(DEADLINE_S) == 1
    assert "Another hub (process " in demo.printed()
    assert "The hub ended by itself (status 1)." in demo.printed()
