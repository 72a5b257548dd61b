"""What a wrong token costs, on each engine: the same whatever is wrong with it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from devices import tokens
from devices.models import Device
from devices.tokens import TokenRefused
from ingest.gate import Gate, TooManyFailures, Unavailable
from tests.integration.engine import default_database, engine, engine_url  # noqa: F401

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HERE, THERE = "192.0.2.1", "192.0.2.2"
PER_MIN = 3

pytestmark = pytest.mark.usefixtures("engine")


def issued(**changed: Any) -> str:
    device, _ = Device.objects.get_or_create(uid="roof")
    token, text = tokens.issue(device)
    for name, value in changed.items():
        setattr(token, name, value)
    token.save()
    return text


def wrong_tokens() -> dict[str, str]:
    good = issued()
    return {
        "a wrong secret": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "a wrong prefix": f"weir_0000000000{good[15:]}",
        "the wrong form": "letmein",
        "nothing": "",
        "half a character": "\ud800",
        "very long": "x" * 200_000,
        "revoked": issued(revoked_at=NOW),
        "expired": issued(expires_at=NOW),
        "not valid yet": issued(not_before=NOW + timedelta(hours=1)),
    }


def test_whatever_is_wrong_costs_the_same_queries_and_the_same_hashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = wrong_tokens()
    calls: list[str] = []
    sha256, compare_digest = hashlib.sha256, hmac.compare_digest
    monkeypatch.setattr(
        "devices.tokens.hashlib.sha256", lambda data: (calls.append("hash"), sha256(data))[1]
    )
    monkeypatch.setattr(
        "devices.tokens.hmac.compare_digest",
        lambda a, b: (calls.append(f"compare {len(a)} {len(b)}"), compare_digest(a, b))[1],
    )
    costs = {}
    for what, text in shown.items():
        calls.clear()
        with CaptureQueriesContext(connection) as queries, pytest.raises(TokenRefused):
            tokens.bearer(text, NOW)
        (query,) = [each["sql"] for each in queries.captured_queries]
        costs[what] = (query.split(" WHERE ")[0], sorted(calls))
    first = costs["a wrong secret"]
    assert first[1] == ["compare 64 64", "hash"]
    assert costs == dict.fromkeys(shown, first)


@pytest.fixture
def good() -> str:
    return issued()


@pytest.fixture
def revoked() -> str:
    return issued(revoked_at=NOW)


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate(interval_s=60, failed_per_min=PER_MIN, now=lambda: NOW)
    yield gate
    # In the gate's thread, whose connection is to this test's database.
    await gate._ask(connections.close_all)
    await gate.stop()


async def refuse(gate: Gate, token: str, address: str = HERE) -> str:
    with pytest.raises(TokenRefused) as refused:
        await gate.admit(token, address)
    return refused.value.code


async def stopped(gate: Gate, token: str, address: str = HERE) -> None:
    """It is told to wait, and the database is not asked."""
    asked: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append(sql)
        return execute(sql, params, many, context)

    await gate._ask(lambda: connection.execute_wrappers.append(note))
    with pytest.raises(TooManyFailures) as limited:
        await gate.admit(token, address)
    await gate._ask(lambda: connection.execute_wrappers.remove(note))
    assert asked == []
    assert 0 < limited.value.retry_after_ms <= 40_000


async def test_after_too_many_wrong_tokens_an_address_is_told_to_wait(
    gate: Gate, good: str
) -> None:
    for n in range(PER_MIN):
        assert await refuse(gate, f"guess {n}") == "token_invalid"
    await stopped(gate, "one more")
    await stopped(gate, good)
    assert (await gate.admit(good, THERE)).uid == "roof"
    assert (await gate.admit(good, HERE)).uid == "roof"


async def test_a_device_that_is_stuck_locks_nobody_out(gate: Gate, good: str) -> None:
    for _ in range(5 * PER_MIN):
        assert await refuse(gate, "stuck") == "token_invalid"
    assert (await gate.admit(good, HERE)).uid == "roof"


async def test_a_revoked_token_that_comes_back_is_stopped_and_its_neighbours_are_not(
    gate: Gate, good: str, revoked: str
) -> None:
    for _ in range(PER_MIN):
        assert await refuse(gate, revoked) == "token_revoked"
    await stopped(gate, revoked)
    assert (await gate.admit(good, HERE)).uid == "roof"


async def test_who_comes_while_the_database_hangs_is_told_so_and_let_in_afterwards(
    gate: Gate, good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else they would gather before it, in silence, for as long as it hangs."""
    monkeypatch.setattr("ingest.gate.ANSWER_WITHIN_S", 0.0)
    began, answers = threading.Event(), threading.Event()

    def hang() -> None:
        began.set()
        answers.wait(20)

    hanging = asyncio.create_task(gate._ask(hang))
    await asyncio.to_thread(began.wait)
    with pytest.raises(Unavailable):
        await gate.admit(good, HERE)
    answers.set()
    await hanging
    assert (await gate.admit(good, HERE)).device_id
