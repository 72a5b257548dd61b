"""`/system/figures/` of a real hub, while readings stream in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.browsing import Browser, add_operator
from tests.acceptance.devices import device, frame, sample
from tests.hubs import Hub, Store, wait_until

OUTCOMES = ["stored", "duplicate", "rejected", "fenced"]
FRAMES = 200
LOOKS = 20


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hub(
    request: pytest.FixtureRequest,
    new_store: Callable[[str], Store],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hub]:
    store = new_store(request.param)
    add_operator(store)
    with Hub(store, tmp_path_factory.mktemp("hub")) as hub:
        yield hub
        assert "Traceback" not in hub.log


@pytest.fixture(scope="module")
def browser(hub: Hub) -> Browser:
    browser = Browser()
    browser.log_in(hub)
    return browser


def look(browser: Browser, hub: Hub) -> Any:
    answer = browser.ask(hub, "/system/figures/")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert "no-store" in answer.headers["Cache-Control"]
    return answer.json


async def test_each_answer_adds_up_while_readings_stream_in(hub: Hub, browser: Browser) -> None:
    async def stream() -> None:
        async with device(hub.url, hub.store.add_device("stream")) as streamer:
            await streamer.hello()
            for seq in range(1, FRAMES + 1):
                bad = {"bad": "x" * 2_000} if seq % 10 == 0 else {}
                await streamer.say({"seq": seq, "readings": [sample(seq // 2, ok=1, **bad)]})
                if seq % 20 == 0:  # within its window
                    await streamer.hear_ack_of(seq)

    task = asyncio.create_task(stream())
    answers: list[Any] = []
    while not task.done() or len(answers) < LOOKS:
        answers.append(await asyncio.to_thread(look, browser, hub))
    await task
    for answer in answers:
        values = answer["values"]
        found = sum(values[f"readings/{outcome}"] for outcome in OUTCOMES)
        assert values["readings_taken"] == found + values["readings_pending"]
        assert values["unaccounted"] == 0
    assert len({answer["hub"] for answer in answers}) == 1


async def test_they_are_the_figures_that_prometheus_gets(hub: Hub, browser: Browser) -> None:
    async with device(hub.url, hub.store.add_device("counted")) as counted:
        await counted.ask({"fine": 1, "bad": "x" * 2_000})
        wait_until(lambda: hub.figures()["weir_readings_pending"] == 0, "all is settled")
        told, exported = look(browser, hub), hub.figures()
    values = told["values"]
    assert values["readings_taken"] == exported["weir_readings_taken_total"]
    name = 'weir_refused_readings_total{code="text_too_long"}'
    assert values["refused_readings/text_too_long"] == exported[name] >= 1
    commit = told["histograms"]["commit_seconds"]
    assert commit["counts"][-1] == exported["weir_commit_seconds_count"]
    assert commit["sum"] == exported["weir_commit_seconds_sum"]
    assert values["devices_connected"] == 1
    assert told["texts"]["devices_connected"] == "1"
    assert told["texts"]["buffer_bytes"] == "33.6 MB"


def test_the_page_is_painted_with_the_totals(hub: Hub, browser: Browser) -> None:
    hub.ask(
        "/ingest/",
        '{"temperature": 21.5}',
        headers={"Authorization": f"Bearer {hub.store.add_device('painted')}"},
    )
    page = browser.ask(hub, "/system/").body
    taken = look(browser, hub)["values"]["readings_taken"]
    assert f'data-total="readings_taken">{taken:,.0f}<' in page
    assert "the series began with another kind of value" in page
    assert ("SQLite 3" if hub.store.is_sqlite else "PostgreSQL 1") in page


async def test_frames_that_stay_duplicates_or_fenced_add_up_too(hub: Hub, browser: Browser) -> None:
    async with device(hub.url, hub.store.add_device("twice")) as twice:
        await twice.hello()
        await twice.ask(frame(1, 1))
        await twice.ask(frame(2, 1))
    values = look(browser, hub)["values"]
    assert values["readings/duplicate"] >= 1
    assert values["unaccounted"] == 0
