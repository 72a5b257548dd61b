"""A line of the log for programs: whole, of one connection, and without secrets."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from project.loglines import Json, correlated

TOKEN = "weir_0123456789_" + "x-_" * 14 + "x"


def line(message: str, *values: object, **more: Any) -> dict[str, Any]:
    record = logging.LogRecord("ingest.line", logging.WARNING, "", 1, message, values, None)
    vars(record).update(more)
    text = Json().format(record)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


async def test_each_connection_has_a_name_of_its_own_in_its_scope_and_in_the_log() -> None:
    seen: list[tuple[str, str]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["connection"], line("x")["connection"]))

    for kind in ("http", "websocket"):
        await correlated(application)({"type": kind}, None, None)  # type: ignore[arg-type]
    assert all(scope == log for scope, log in seen)
    assert len(set(seen)) == 2


def test_what_no_connection_is_about_names_none() -> None:
    assert line("the hub listens").keys() == {"time", "level", "logger", "pid", "message"}


def test_a_line_says_when_in_utc() -> None:
    assert line("x", created=1_750_000_000.25)["time"] == "2025-06-15T15:06:40.250Z"


def test_of_what_a_caller_adds_only_the_known_is_told() -> None:
    found = line("x", device="porch", close=4409, reading=21.5)
    assert (found["device"], found["close"]) == ("porch", 4409)
    assert "reading" not in found


def test_a_secret_is_left_out_wherever_it_is_and_the_line_stays_whole() -> None:
    found = line("met %s", TOKEN, device='postgres://weir:"', address='x", "y": "@')
    assert found["message"] == "met weir_0123456789_…"
    assert found["address"] == 'x", "y": "@'


def test_a_traceback_is_in_the_line_without_tokens() -> None:
    try:
        raise ValueError(TOKEN)
    except ValueError:
        found = line("a bug", exc_info=sys.exc_info())
    assert found["traceback"].endswith("ValueError: weir_0123456789_…")
