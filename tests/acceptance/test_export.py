"""Exports of a real hub: receivers that are slow, that leave, and what is cut before its end."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.browsing import Browser, add_operator
from tests.hubs import DEADLINE_S, Hub, Store, wait_until

SERIES = 20
ROWS = 200_000
# `make bench-export` has a million, and the hub grows by as little: it holds one chunk of them.
GROWS_MOST_BYTES = 60_000_000
LATER_VALUE = 123456.5
MIDDLE_BYTES = 100_000


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, new_store: Callable[[str], Store]) -> Store:
    store = new_store(request.param)
    add_operator(store)
    fill(store, ROWS)
    return store


@pytest.fixture(scope="module")
def hub(filled: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub(filled, tmp_path_factory.mktemp("hub"), options={"WEIR_EXPORTS": 1}) as hub:
        yield hub
        assert "Traceback" not in hub.log


@pytest.fixture(scope="module")
def browser(hub: Hub) -> Browser:
    browser = Browser()
    browser.log_in(hub)
    return browser


def fill(store: Store, rows: int) -> None:
    """`rows` readings of one device, all of them sealed."""
    store.add_device("roof")
    for number in range(SERIES):
        store.rows(
            "INSERT INTO devices_series (device_id, metric, kind, unit, created_at)"
            " VALUES (%s, %s, 0, '', CURRENT_TIMESTAMP)",
            *(store.device_id("roof"), f"m{number:02}"),
        )
    numbers = f"SELECT n FROM generate_series(1, {rows // SERIES}) AS n"
    time = "timestamptz '2026-11-01 12:00:00+00' + n * interval '1 ms'"
    if store.is_sqlite:
        numbers = f"SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < {rows // SERIES}"
        time = "1793534400000000 + n * 1000"
    store.rows(
        f"WITH RECURSIVE r(n) AS ({numbers}) INSERT INTO {table(store)} (series_id, time, value)"
        f" SELECT s.id, {time}, n * 0.37 FROM devices_series s CROSS JOIN r"
    )


@contextmanager
def export(
    hub: Hub, browser: Browser, query: str = "", suffix: str = "csv"
) -> Iterator[http.client.HTTPResponse]:
    """An answer of which nothing is read yet; it is left at the end."""
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=DEADLINE_S)
    try:
        path = f"/api/v1/export.{suffix}?{query}"
        connection.request("GET", path, headers={"Cookie": browser.cookie})
        yield connection.getresponse()
    finally:
        connection.close()


def is_whole(body: bytes, rows: int) -> bool:
    before, _, end = body.rstrip(b"\r\n").rpartition(b"\n")
    summed = hashlib.sha256(before + b"\n").hexdigest()
    return end == f"#end,rows={rows},,sha256={summed},,".encode()


def read_until_it_is_cut(answer: http.client.HTTPResponse) -> bytes:
    parts: list[bytes] = []
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        parts.extend(iter(lambda: answer.read1(1 << 20), b""))
    return b"".join(parts)


def memory_bytes(hub: Hub, name: str) -> int:
    lines = Path(f"/proc/{hub.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def nobody_exports(hub: Hub) -> bool:
    return hub.figures()["weir_exports"] == 0


def test_a_whole_export_comes_and_the_hub_grows_by_little(hub: Hub, browser: Browser) -> None:
    before_bytes = memory_bytes(hub, "VmRSS")
    with export(hub, browser) as answer:
        body = answer.read()
    assert is_whole(body, ROWS)
    assert body.count(b"\r\n") == ROWS + 2
    assert memory_bytes(hub, "VmHWM") - before_bytes < GROWS_MOST_BYTES


def test_what_a_slow_receiver_has_not_taken_is_not_read(hub: Hub, browser: Browser) -> None:
    """What is stored while it pauses, at the other end of its export, is in it."""
    with export(hub, browser) as answer:
        body = answer.read(MIDDLE_BYTES)
        assert hub.figures()["weir_exports"] == 1
        store_later(hub.store)
        body += answer.read()
    assert is_whole(body, ROWS + 1)
    assert f",{LATER_VALUE},".encode() in body
    hub.store.rows(f"DELETE FROM {table(hub.store)} WHERE value = %s", LATER_VALUE)


def table(store: Store) -> str:
    """Where its sealed readings are."""
    return "ingest_sealed" if store.is_sqlite else "ingest_reading"


def store_later(store: Store) -> None:
    last = store.number("SELECT max(id) FROM devices_series")
    time = "1" if store.is_sqlite else "timestamptz '1970-01-01 00:00:00+00'"
    store.rows(
        f"INSERT INTO {table(store)} (series_id, time, value) VALUES (%s, {time}, %s)",
        *(last, LATER_VALUE),
    )


def test_a_receiver_that_leaves_makes_room_for_the_next(hub: Hub, browser: Browser) -> None:
    wait_until(lambda: nobody_exports(hub), "the last export has ended")
    met = hub.figures()['weir_bounds_met_total{bound="exports"}']
    with export(hub, browser) as first:
        first.read(MIDDLE_BYTES)
        with export(hub, browser, suffix="ndjson") as second:
            assert (second.status, second.headers["Retry-After"]) == (503, "10")
            assert b"/api/v1/problems/too-many-exports" in second.read()
    wait_until(lambda: nobody_exports(hub), "the export that was left has ended")
    assert hub.figures()['weir_bounds_met_total{bound="exports"}'] == met + 1
    with export(hub, browser, "series=roof/m00") as third:
        assert is_whole(third.read(), ROWS // SERIES)


def test_an_export_that_the_database_fails_is_cut_and_not_called_a_bug(
    hub: Hub, browser: Browser
) -> None:
    """The last of the tests on this database, which it ruins."""
    store = hub.store
    wait_until(lambda: nobody_exports(hub), "the last export has ended")
    with export(hub, browser) as answer:
        body = answer.read(MIDDLE_BYTES)
        if store.is_sqlite:
            store.rows("ALTER TABLE ingest_textreading RENAME TO gone")
            store.rows("DROP VIEW ingest_reading")
            store.rows("ALTER TABLE ingest_sealed RENAME TO also_gone")
        else:
            store.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid != pg_backend_pid()"
                " AND application_name != 'weir writer'"
            )
        body += read_until_it_is_cut(answer)
    assert b"#end" not in body
    wait_until(lambda: "an export was cut off" in hub.log, "the log says so")
    assert "a bug" not in hub.log


def test_an_export_of_a_hub_that_is_killed_is_not_whole(
    new_store: Callable[[str], Store], tmp_path: Path
) -> None:
    store = new_store("sqlite")
    add_operator(store)
    fill(store, ROWS)
    with Hub(store, tmp_path) as hub:
        browser = Browser()
        browser.log_in(hub)
        with export(hub, browser) as answer:
            body = answer.read(MIDDLE_BYTES)
            hub.kill()
            body += read_until_it_is_cut(answer)
    assert b"#end" not in body
