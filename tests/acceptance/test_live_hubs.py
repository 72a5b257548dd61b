"""What is live, on two hubs with PostgreSQL and a Redis Cluster, each hub on a node of its own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dashboards.live.charts import Chart
from tests.acceptance.browsing import Browser, Dashboard, add_operator
from tests.acceptance.devices import device
from tests.hubs import DEADLINE_S, Hub, Store
from tests.servers import RedisCluster
from tests.unit.dashboards.charted import Columns, Shown

STEP_MS = 1_000
BACK_US = 300_000_000
"""How far its history goes back: nothing is older."""
CHARTS = [Chart(f"{uid}/level", STEP_MS, "UTC") for uid in ("moves", "stays")]
OPTIONS = {"WEIR_RELAY_INTERVAL_S": 0.2, "WEIR_SEAL_GRACE_S": 0}


@pytest.fixture(scope="module")
def cluster(redis_program: Path) -> Iterator[RedisCluster]:
    with RedisCluster(redis_program) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def hubs(
    new_store: Callable[[str], Store],
    cluster: RedisCluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Hub, Hub]]:
    store, folder = new_store("postgresql"), tmp_path_factory.mktemp("hubs")
    add_operator(store)
    first, second, _ = cluster.nodes
    with (
        Hub(store, folder, redis_url=first.url, options=OPTIONS) as one,
        Hub(store, folder, redis_url=second.url, options=OPTIONS) as two,
    ):
        yield one, two
        assert "Traceback" not in one.log + two.log


@pytest.fixture(scope="module")
def browser(hubs: tuple[Hub, Hub]) -> Browser:
    browser = Browser()
    assert browser.log_in(hubs[0]).status == 302
    return browser


class Page:
    """A dashboard of the fleet with charts, which keeps to the rule of docs/live.md."""

    def __init__(self, hub: Hub, browser: Browser, dashboard: Dashboard) -> None:
        self.hub, self.browser, self.dashboard = hub, browser, dashboard
        self.devices: dict[str, dict[str, Any]] = {}
        self.stale_since: int | None = None
        self.shown = {chart.series: Shown(chart, "") for chart in CHARTS}
        self.tails = 0

    async def follow(self) -> None:
        charts = [chart._asdict() for chart in CHARTS]
        await self.dashboard.connection.send(json.dumps({"type": "chart", "charts": charts}))
        while True:
            message = await self.dashboard.see()
            self.stale_since = message["stale_since"]
            self.devices |= {one["uid"]: one for one in message["devices"]}
            for tail in message.get("tails", ()):
                self.take(tail, message["at"])
            for shown in self.shown.values():
                if shown.from_us is not None:
                    from_us = shown.ask()
                    columns, at_ms = await self.history(shown.chart, from_us)
                    shown.answer(columns, from_us, at_ms)

    def take(self, tail: dict[str, Any], at_ms: int) -> None:
        if "columns" in tail:
            self.tails += 1
            tail = tail | {"columns": by_start(tail["columns"])}
        self.shown[tail["series"]].take(tail, at_ms)

    async def history(self, chart: Chart, from_us: int = 0) -> tuple[Columns, int]:
        """Its buckets from the one that holds `from_us` on, and when they were whole."""
        from_us = max(chart.floor_us(from_us), chart.floor_us(time.time_ns() // 1_000) - BACK_US)
        asked = f"series={chart.series}&from={from_us // 1_000}&step_ms={chart.step_ms}"
        path = f"/api/v1/history?{asked}"
        answer = (await asyncio.to_thread(self.browser.ask, self.hub, path)).json
        assert "series" in answer or answer["status"] == 404, answer  # before its first reading
        columns = [one["columns"] for one in answer.get("series", ())]
        return (by_start(columns[0]) if columns else {}), answer.get("at", 0)

    async def wrong(self) -> dict[str, Any]:
        """The buckets that are not as history says now, what it says and what is shown."""
        found: dict[str, Any] = {}
        for series, shown in self.shown.items():
            columns, _ = await self.history(shown.chart)
            if not columns or shown.columns != columns:
                found[series] = set(columns.items()) ^ set(shown.columns.items())
        return found

    def has(self, uid: str, counts: dict[str, int]) -> bool:
        return uid in self.devices and self.devices[uid]["counts"] == counts

    def is_current(self) -> bool:
        return self.stale_since is None


def by_start(columns: dict[str, list[Any]]) -> Columns:
    """Count and sum by the start of a bucket in microseconds; rows of no reading are gaps."""
    rows = zip(columns["start"], columns["count"], columns["mean"], strict=True)
    return {
        round(start * 1_000): (count, round(mean * count, 6))
        for start, count, mean in rows
        if count
    }


@asynccontextmanager
async def pages(*hubs: Hub, browser: Browser) -> AsyncIterator[list[Page]]:
    async with asyncio.TaskGroup() as group:
        opened = [await group.create_task(looking(hub, browser, group)) for hub in hubs]
        yield [page for page, _ in opened]
        for _, task in opened:
            task.cancel()


async def looking(
    hub: Hub, browser: Browser, group: asyncio.TaskGroup
) -> tuple[Page, asyncio.Task[None]]:
    opened: asyncio.Future[Page] = asyncio.get_running_loop().create_future()

    async def look() -> None:
        async with browser.look(hub) as dashboard:
            page = Page(hub, browser, dashboard)
            opened.set_result(page)
            await page.follow()

    task = group.create_task(look())
    return await opened, task


async def until(true: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline_s, f"waited {DEADLINE_S} s in vain: {what}"
        await asyncio.sleep(0.02)


async def until_right(page: Page) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while wrong := await page.wrong():
        assert time.monotonic() < deadline_s, f"charts are not what is stored: {wrong}"
        await asyncio.sleep(0.1)


async def send(hub: Hub, token: str, least: int, enough: Callable[[], bool] = lambda: True) -> int:
    """Readings of now and, every fifth, of some seconds ago; one more at the end is refused.

    Returns how many were stored.
    """
    deadline_s = time.monotonic() + DEADLINE_S
    stored = 0
    async with device(hub.url, token) as one:
        while stored < least or not enough():
            assert time.monotonic() < deadline_s, f"{stored} were not enough in {DEADLINE_S} s"
            ts = time.time_ns() / 1e6 - (5_000 if stored % 5 == 4 else 0)
            answer = await one.ask({"ts": ts, "values": {"level": stored / 2}})
            assert answer["stored"] == 1
            stored += 1
            await asyncio.sleep(0.03)
        assert (await one.ask({"level": "text"}))["rejected"] == 1
    return stored


def all_have_tails(opened: list[Page], least: int) -> bool:
    return all(page.tails >= least for page in opened)


def counted(stored: int, rejected: int) -> dict[str, int]:
    return {"stored": stored, "duplicate": 0, "rejected": rejected}


async def test_charts_and_totals_are_right_whichever_hub_a_page_is_connected_to(
    hubs: tuple[Hub, Hub], browser: Browser
) -> None:
    one, two = hubs
    moves, stays = one.store.add_device("moves"), one.store.add_device("stays")
    async with pages(one, two, browser=browser) as opened:
        many_tails = partial(all_have_tails, opened, 11)
        _, stayed = await asyncio.gather(send(one, moves, 30), send(two, stays, 60, many_tails))
        await send(two, moves, 30)
        for page in opened:
            await until(partial(page.has, "moves", counted(60, 2)), "both hubs' counts")
            await until(partial(page.has, "stays", counted(stayed, 1)), "the other's counts")
            await until_right(page)
    for hub in hubs:
        answer = browser.ask(hub, "/api/v1/devices/moves/counts")
        assert answer.json["since_start"] == counted(60, 2)


async def test_a_hub_that_starts_later_knows_what_the_others_counted(
    hubs: tuple[Hub, Hub], browser: Browser
) -> None:
    """And what it counted itself before is gone from the totals of all of them."""
    one, two = hubs
    token = one.store.add_device("quiet")
    await send(one, token, 3)
    await send(two, token, 2)
    async with pages(one, browser=browser) as [here]:
        await until(partial(here.has, "quiet", counted(5, 2)), "both are counted")
        assert await asyncio.to_thread(two.terminate) == 0
        await until(partial(here.has, "quiet", counted(3, 1)), "what went with a hub")
        two.start()  # here: Linux ends a hub with the thread that started it
        async with pages(two, browser=browser) as [there]:
            await until(partial(there.has, "quiet", counted(3, 1)), "what the other counted")


async def test_a_node_of_the_cluster_that_is_lost_makes_its_own_hub_stale_and_no_other(
    hubs: tuple[Hub, Hub], cluster: RedisCluster, browser: Browser
) -> None:
    one, two = hubs
    lost = cluster.nodes[1]
    token = one.store.add_device("through")
    async with pages(one, two, browser=browser) as [here, there]:
        await until(lambda: there.devices and here.devices, "both see the fleet")
        await asyncio.to_thread(lost.stop)
        await until(lambda: there.stale_since is not None, "the hub of that node says so")
        await send(one, token, 2)
        await send(two, token, 2)
        assert here.stale_since is None
        await asyncio.to_thread(lost.start)
        for page in (here, there):
            await until(page.is_current, "it hears again")
            await until(partial(page.has, "through", counted(4, 2)), "all is counted")
