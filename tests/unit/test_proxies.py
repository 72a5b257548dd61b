"""Whose word about a client is believed."""

from __future__ import annotations

from typing import Any

import pytest

from project.details import Details
from project.proxies import behind

PROXY, ELSEWHERE, CLIENT = "10.0.0.1", "192.0.2.7", "203.0.113.9"
TRUSTED = ["10.0.0.0/8", "127.0.0.1"]


async def seen(
    peer: str | None, trusted: list[str], kind: str = "http", **headers: str
) -> dict[str, Any]:
    """The scope that an application behind these proxies gets."""
    found: list[dict[str, Any]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope)

    lines = [(name.replace("_", "-").encode(), said.encode()) for name, said in headers.items()]
    scope = {"type": kind, "headers": lines, "client": [peer, 5] if peer else None}
    scope["scheme"] = {"http": "http", "websocket": "ws"}[kind]
    await behind(application, trusted)(scope, None, None)  # type: ignore[arg-type]
    return found[0]


async def client(peer: str, said: str, trusted: list[str] = TRUSTED) -> str:
    return str((await seen(peer, trusted, x_forwarded_for=said))["client"][0])


async def test_nobody_is_believed_where_nobody_is_named() -> None:
    assert await client("127.0.0.1", CLIENT, []) == "127.0.0.1"
    assert await client(ELSEWHERE, CLIENT) == ELSEWHERE


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (CLIENT, CLIENT),
        (f"127.0.0.1, {CLIENT}", CLIENT),
        (f"{CLIENT}, 10.9.9.9", CLIENT),
        (f"invented, {CLIENT},10.9.9.9 , 127.0.0.1", CLIENT),
        ("invented", "invented"),
        ("10.9.9.9, 127.0.0.1", "10.9.9.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:10.9.9.9, ::ffff:127.0.0.1", "::ffff:10.9.9.9"),
        (f"127.0.0.1, {CLIENT}:5678", CLIENT),
        ("[2001:db8::1]:5678, 10.9.9.9:80", "2001:db8::1"),
        ("", PROXY),
        (" , ", PROXY),
    ],
)
async def test_a_trusted_proxys_client_is_the_last_that_is_no_proxy(said: str, found: str) -> None:
    assert await client(PROXY, said) == found


async def test_https_is_what_the_trusted_proxy_says_last() -> None:
    for said, scheme in [("https", "https"), ("http,https", "https"), ("https, http", "http")]:
        assert (await seen(PROXY, TRUSTED, x_forwarded_proto=said))["scheme"] == scheme
    assert (await seen(ELSEWHERE, TRUSTED, x_forwarded_proto="https"))["scheme"] == "http"
    socket = await seen(PROXY, TRUSTED, "websocket", x_forwarded_proto="https")
    assert socket["scheme"] == "wss"


async def test_what_a_trusted_proxy_said_is_not_said_again_and_what_others_said_stays() -> None:
    said = {"x_forwarded_for": CLIENT, "forwarded": "for=a", "via": "1.1 b", "host": "hub"}
    believed = await seen(PROXY, TRUSTED, **said)
    assert believed["headers"] == [(b"host", b"hub")]
    assert len((await seen(ELSEWHERE, TRUSTED, **said))["headers"]) == 4


async def test_a_socket_of_the_file_system_has_no_client() -> None:
    assert (await seen(None, TRUSTED, x_forwarded_for=CLIENT))["client"] is None


METRICS_TOKEN = "a token for prometheus"


@pytest.mark.parametrize(
    ("peer", "trusted", "headers", "may"),
    [
        ("127.0.0.1", [], {}, True),
        ("::1", [], {}, True),
        (ELSEWHERE, [], {}, False),
        (None, [], {}, False),
        ("127.0.0.1", [], {"x_forwarded_for": "127.0.0.1"}, False),
        ("127.0.0.1", [], {"forwarded": "for=127.0.0.1"}, False),
        ("127.0.0.1", [], {"x_real_ip": "127.0.0.1"}, False),
        ("127.0.0.1", ["127.0.0.1"], {"x_forwarded_for": CLIENT}, False),
        ("127.0.0.1", ["127.0.0.1"], {"x_forwarded_for": f"127.0.0.1, {CLIENT}"}, False),
        ("127.0.0.1", ["127.0.0.1"], {"x_forwarded_for": "127.0.0.1"}, True),
        (PROXY, TRUSTED, {"x_forwarded_for": "::1"}, True),
        (PROXY, TRUSTED, {"x_forwarded_for": "invented"}, False),
        (ELSEWHERE, [], {"authorization": f"Bearer {METRICS_TOKEN}"}, True),
        (ELSEWHERE, [], {"authorization": f"Bearer {METRICS_TOKEN}!"}, False),
        (ELSEWHERE, [], {"authorization": "Bearer "}, False),
        ("127.0.0.1", [], {"authorization": "Bearer another"}, True),
    ],
)
async def test_who_may_see_details(
    peer: str | None, trusted: list[str], headers: dict[str, str], may: bool
) -> None:
    scope = await seen(peer, trusted, **headers)
    assert Details(METRICS_TOKEN).may_be_seen(scope) is may
    shown = "authorization" in headers and peer == ELSEWHERE
    assert Details("").may_be_seen(scope) is (may and not shown)
