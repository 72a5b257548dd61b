"""`POST /ingest/`: one frame over HTTP, answered after its commit."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import ENGINES
from tests.hubs import Answer, Hub, Store


@pytest.fixture(scope="module", params=ENGINES)
def hub(
    request: pytest.FixtureRequest,
    new_store: Callable[[str], Store],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hub]:
    with Hub(new_store(request.param), tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture(autouse=True)
def clean_log(hub: Hub) -> Iterator[None]:
    yield
    assert "Traceback" not in hub.log


@pytest.fixture(scope="module")
def token(hub: Hub) -> str:
    return hub.store.add_device("poster")


def post(hub: Hub, token: str | None, body: str | bytes, **headers: str) -> Answer:
    shown = {"Authorization": f"Bearer {token}"} if token else {}
    return hub.ask("/ingest/", body, headers=shown | headers)


def ack(stored: int = 0, duplicate: int = 0, rejected: int = 0) -> dict[str, Any]:
    counts = {"stored": stored, "duplicate": duplicate, "rejected": rejected}
    return {"type": "ack", "seq": 1, **counts}


def test_a_frame_is_acked_and_stored(hub: Hub, token: str) -> None:
    answer = post(hub, token, '{"temperature":21.5,"door":true,"state":"ok"}')
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json == ack(stored=3)
    assert hub.store.rows("SELECT value FROM ingest_textreading") == [("ok",)]


def test_a_frame_sent_twice_is_stored_once_and_another_value_is_a_conflict(
    hub: Hub, token: str
) -> None:
    body = '{"ts":1750000000000,"values":{"twice":1.5}}'
    assert post(hub, token, body).json == ack(stored=1)
    assert post(hub, token, body).json == ack(duplicate=1)
    answer = post(hub, token, body.replace("1.5", "2.5"))
    (error,) = answer.json.pop("errors")
    assert (answer.status, error["code"], error["metric"]) == (200, "conflict", "twice")


@pytest.mark.parametrize("body", ["[]", '{"columns":{"ts":[1750000000000],"c":[1]}}', '{"x":null}'])
def test_any_form_is_taken(hub: Hub, token: str, body: str) -> None:
    assert post(hub, token, body).json["type"] == "ack"


@pytest.mark.parametrize("body", ["", "temperature=21", "21.5", b'{"x":"\xff"}', '{"seq":1,"x":1}'])
def test_what_is_no_frame_is_a_bad_request(hub: Hub, token: str, body: str | bytes) -> None:
    answer = post(hub, token, body)
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/json")
    assert (answer.json["type"], answer.json["code"]) == ("error", "bad_message")


def test_there_is_no_hello_over_http(hub: Hub, token: str) -> None:
    answer = post(hub, token, '{"type":"hello","stream":"s","held":{"first":1,"last":0}}')
    assert answer.status == 400
    assert "no hello" in answer.json["message"]


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ({}, "token_missing"),
        ({"Authorization": "Basic d2VpcjpzZWNyZXQ="}, "token_missing"),
        ({"Authorization": "Bearer "}, "token_missing"),
        ({"Authorization": "Bearer wrong"}, "token_invalid"),
        ({"Cookie": "sessionid=wrong"}, "token_missing"),
    ],
)
def test_without_a_token_that_is_known_nobody_is_let_in(
    hub: Hub, shown: dict[str, str], code: str
) -> None:
    answer = hub.ask("/ingest/", '{"x":1}', headers=shown)
    assert (answer.status, answer.json["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_disabled_device_is_not_let_in(hub: Hub) -> None:
    answer = post(hub, hub.store.add_device("disabled", enabled=False), '{"x":1}')
    assert (answer.status, answer.json["code"]) == (401, "device_disabled")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_only_post_is_allowed(hub: Hub, method: str) -> None:
    answer = hub.ask("/ingest/", method=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_a_frame_larger_than_announced_is_too_large(hub: Hub, token: str) -> None:
    assert post(hub, token, "[]".ljust(262_144)).status == 200
    answer = post(hub, token, "[]".ljust(262_145))
    assert (answer.status, answer.json["code"]) == (413, "frame_too_large")


def test_curl_sends_a_reading_and_prints_its_ack(hub: Hub, token: str, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    large = tmp_path / "large.json"  # curl asks whether it may send one of this size
    large.write_text('{"columns":{"large":[' + ",".join(["1"] * 60_000) + "]}}")
    for body in ('{"curl":21.5}', f"@{large}"):
        printed = subprocess.run(
            [
                *(curl, "--silent", "--show-error", "--noproxy", "*"),
                *("-H", f"Authorization: Bearer {token}", "-d", body),
                f"http://127.0.0.1:{hub.port}/ingest/",
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        assert printed.stdout.startswith('{"type":"ack","seq":1,"stored":'), printed.stdout
