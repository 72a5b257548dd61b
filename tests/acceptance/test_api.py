"""The HTTP API of a real hub: who is let in, what the board tells, and a database that is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.acceptance.browsing import Browser, add_operator
from tests.hubs import Answer, Hub, Store, manage, wait_until
from tests.servers import Postgres, create_database

PER_MIN = 2  # half a minute is far away, even on a slow machine
ADDRESSES = (f"127.0.11.{n}" for n in count(1))


@pytest.fixture(scope="module")
def hub(
    new_store: Callable[[str], Store], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    store = new_store("sqlite")
    add_operator(store)
    options = {"WEIR_FAILED_TOKENS_PER_MIN": PER_MIN, "WEIR_RELAY_INTERVAL_S": 0.2}
    with Hub(store, tmp_path_factory.mktemp("hub"), options=options) as hub:
        send(hub, store.add_device("roof"))
        yield hub
        assert "Traceback" not in hub.log


def send(hub: Hub, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    assert hub.ask("/ingest/", '{"temperature": 21.5}', headers=headers).status == 200


def read(hub: Hub, token: str, path: str = "devices", source: str = "127.0.0.1") -> Answer:
    headers = {"Authorization": f"Bearer {token}"}
    return hub.ask(f"/api/v1/{path}", headers=headers, source=source)


def read_token(store: Store, *scope: str) -> str:
    parts = [word for part in scope for word in ("--scope", part)]
    return manage(store.url, "addreadtoken", "a test's", *parts).stdout.strip()


def test_a_login_and_a_read_token_are_let_in_and_nobody_else(hub: Hub) -> None:
    browser = Browser()
    assert browser.ask(hub, "/api/v1/devices").status == 401
    browser.log_in(hub)
    assert browser.ask(hub, "/api/v1/devices").json["total"] == 1
    assert read(hub, read_token(hub.store, "device:roof")).json["total"] == 1
    assert read(hub, read_token(hub.store, "tag:none")).json["total"] == 0
    sent = hub.store.add_device("porch")
    assert read(hub, sent).json["type"] == "/api/v1/problems/bad-token"
    assert hub.ask(f"/api/v1/devices?token={read_token(hub.store)}").status == 401
    hub.store.rows("DELETE FROM devices_token WHERE device_id = %s", hub.store.device_id("porch"))
    hub.store.rows("DELETE FROM devices_device WHERE uid = 'porch'")


def test_a_hub_tells_what_its_board_knows(hub: Hub) -> None:
    token = read_token(hub.store)

    def counted() -> bool:
        found = read(hub, token, "devices/roof/counts").json["since_start"]
        return bool(found == {"stored": 1, "duplicate": 0, "rejected": 0})

    wait_until(counted, "the board has heard of the reading")
    device = read(hub, token, "devices/roof/latest").json
    assert device["status"] == "online"
    assert device["values"]["temperature"]["value"] == 21.5


def test_head_and_etag_go_over_the_wire(hub: Hub) -> None:
    headers = {"Authorization": f"Bearer {read_token(hub.store)}"}
    path = "/api/v1/devices/roof/series"
    got = hub.ask(path, headers=headers)
    told = hub.ask(path, method="HEAD", headers=headers)
    assert (told.status, told.body, told.headers["ETag"]) == (200, "", got.headers["ETag"])
    assert got.headers["Content-Type"] == "application/json"
    known = hub.ask(path, headers=headers | {"If-None-Match": got.headers["ETag"]})
    assert (known.status, known.body) == (304, "")


def test_a_device_is_told_that_it_has_no_read_token_to_send_with(hub: Hub) -> None:
    headers = {"Authorization": f"Bearer {read_token(hub.store)}"}
    answer = hub.ask("/ingest/", '{"x": 1}', headers=headers, source=next(ADDRESSES))
    assert (answer.status, answer.json["code"]) == (401, "token_invalid")
    assert answer.json["message"].startswith("this is a read token, which sends nothing")


def test_an_address_that_guesses_read_tokens_is_told_to_wait(hub: Hub) -> None:
    address, known = next(ADDRESSES), read_token(hub.store)
    assert read(hub, known, source=address).status == 200
    for n in range(PER_MIN):
        assert read(hub, f"wrong-{n}", source=address).status == 401
    answer = read(hub, read_token(hub.store), source=address)
    assert (answer.status, answer.json["type"]) == (429, "/api/v1/problems/too-many-wrong-tokens")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert read(hub, known, source=address).status == 200
    assert read(hub, read_token(hub.store), source=next(ADDRESSES)).status == 200
    assert hub.figures()['weir_read_tokens_total{outcome="limited"}'] == 1


def test_a_read_token_in_an_address_is_not_written_down(hub: Hub) -> None:
    token = read_token(hub.store)
    for path in (f"/api/v1/none?token={token}", f"/api/v1/{token}", f"/{token}/"):
        answer = hub.ask(path)
        assert token not in answer.body + hub.log
        assert answer.status in {401, 404}
    assert token[:20] in hub.log


def test_a_database_that_is_away_is_a_problem_until_it_is_back(
    own_postgres: Postgres, folder: Path
) -> None:
    store = Store.migrated(create_database(own_postgres.url))
    with Hub(store, folder) as hub:
        send(hub, store.add_device("roof"))
        token = read_token(store)
        own_postgres.stop()
        for path in ("devices", "latest", "history?series=roof/temperature&from=now-1h"):
            answer = read(hub, token, path)
            assert (answer.status, answer.json["title"]) == (503, "The database does not answer")
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert int(answer.headers["Retry-After"]) > 0
        own_postgres.start()
        wait_until(lambda: read(hub, token).status == 200, "the database is back")
        assert "Traceback" not in hub.log
