"""Prometheus looks at a live hub: all that is shipped to watch hubs with has something to show."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.acceptance.devices import device, frame
from tests.hubs import Hub, Store, wait_until
from tests.monitoring import Prometheus
from tests.shipped import dashboards, queries, rules

# What does not come from a hub.
OF_PROMETHEUS = {"up"}
NAMES = re.compile(r"\b(?:weir_|process_)[a-z_]+\b")


@pytest.fixture(scope="module")
def hub(
    new_store: Callable[[str], Store], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    with Hub(new_store("postgresql"), tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture(scope="module")
def prometheus(hub: Hub, leave_out: Callable[[str, str], NoReturn]) -> Iterator[Prometheus]:
    """It has seen the hub before and after it was busy."""
    found = shutil.which("prometheus")
    if found is None:
        leave_out("Prometheus", "no prometheus found: install prometheus")
    with Prometheus(Path(found), [f"127.0.0.1:{hub.port}"]) as prometheus:
        wait_until(lambda: prometheus.samples("weir_devices_connected"), "it has looked once")
        asyncio.run(be_busy(hub))
        settled = hub.figures()['weir_readings_total{outcome="stored"}']
        wait_until(
            lambda: prometheus.samples(f'weir_readings_total{{outcome="stored"}} == {settled}'),
            "it has looked since",
        )
        yield prometheus


async def be_busy(hub: Hub) -> None:
    """Readings are stored and refused, and a connection is closed."""
    token = hub.store.add_device("porch")
    async with device(hub.url, token) as one, device(hub.url, token) as two:
        await one.hello("s")
        await one.bring(frame(1), {"seq": 2, "readings": [{"values": {"bad name": 1}}]})
        await two.hello("s", 3)
        assert (await one.hear_last_word())[1] == 4409


def for_all_hubs(query: str) -> str:
    """As Grafana asks it."""
    return query.replace("$hub", ".*").replace("$__rate_interval", "1m")


@pytest.mark.parametrize("query", sorted(set(queries())))
def test_a_query_of_the_dashboard_has_something_to_show(prometheus: Prometheus, query: str) -> None:
    wait_until(lambda: prometheus.samples(for_all_hubs(query)), query)


def test_hubs_can_be_chosen_from_on_the_dashboard(prometheus: Prometheus, hub: Hub) -> None:
    [variable] = [one for board in dashboards() for one in board["templating"]["list"]]
    asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
    assert asked is not None
    assert prometheus.values_of(asked[2], asked[1]) == [f"127.0.0.1:{hub.port}"]


def test_rules_and_dashboards_ask_for_figures_that_a_hub_has(hub: Hub) -> None:
    there = {name.partition("{")[0] for name in hub.figures()}
    for query in [*queries(), *(rule["expr"] for rule in rules())]:
        assert set(NAMES.findall(query)) - OF_PROMETHEUS <= there, query


def test_what_is_wrong_is_about_to_be_told_and_nothing_else_is(prometheus: Prometheus) -> None:
    refused = "WeirReadingsRefused"  # every other reading was
    wait_until(lambda: refused in prometheus.alerts("pending"), "a rule has met it")
    assert prometheus.samples("weir:readings:unaccounted")[0]["value"][1] == "0"
    assert prometheus.alerts("firing") == set()
