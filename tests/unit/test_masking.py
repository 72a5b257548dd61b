"""What is left of a secret where people read."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest

from project.masking import Formatter, masked, without_tokens_in_addresses

SECRET = "x-_" * 14 + "x"
TOKEN = f"weir_0123456789_{SECRET}"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (TOKEN, "weir_0123456789_…"),
        (f"?a={TOKEN}&b={TOKEN}", "?a=weir_0123456789_…&b=weir_0123456789_…"),
        (f"Bearer weir_read_0123456789_{SECRET}.", "Bearer weir_read_0123456789_…."),
        ("weir_0123456789_tooshort", "weir_0123456789_tooshort"),
        ("postgres://weir:pa55@db:5432/weir", "postgres://weir:…@db:5432/weir"),
        ("redis://:pa55@redis:6379/0", "redis://:…@redis:6379/0"),
        ("http://127.0.0.1:8000/a@b", "http://127.0.0.1:8000/a@b"),
    ],
)
def test_a_secret_is_left_out_and_nothing_else(text: str, left: str) -> None:
    assert masked(text) == left


def test_a_line_of_the_log_and_its_traceback_hold_no_token() -> None:
    try:
        raise ValueError(TOKEN)
    except ValueError:
        error = sys.exc_info()
    record = logging.LogRecord("weir", logging.ERROR, "", 1, "met %s", (TOKEN,), error)
    line = Formatter("%(message)s").format(record)
    assert SECRET not in line
    assert line.startswith("met weir_0123456789_…\nTraceback")
    assert line.endswith("ValueError: weir_0123456789_…")


async def seen(scope: dict[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope)

    await without_tokens_in_addresses(application)(scope, None, None)  # type: ignore[arg-type]
    return found[0]


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_an_address_loses_its_token_and_a_header_keeps_it(kind: str) -> None:
    bearer = (b"authorization", f"Bearer {TOKEN}".encode())
    scope = {
        "type": kind,
        "path": f"/devices/{TOKEN}/",
        "raw_path": f"/devices/{TOKEN}/".encode(),
        "query_string": f"token={TOKEN}".encode(),
        "headers": [bearer, (b"referer", f"http://hub/?token={TOKEN}".encode())],
        "subprotocols": ["weir.v1", f"bearer.{TOKEN}"],
    }
    found = await seen(scope)
    assert found["path"] == "/devices/weir_0123456789_…/"
    assert found["raw_path"] == b"/devices/weir_0123456789_.../"
    assert found["query_string"] == b"token=weir_0123456789_..."
    assert found["headers"] == [bearer, (b"referer", b"http://hub/?token=weir_0123456789_...")]
    assert found["subprotocols"] == scope["subprotocols"]


async def test_what_has_no_address_is_as_it_was() -> None:
    assert await seen({"type": "lifespan"}) == {"type": "lifespan"}
