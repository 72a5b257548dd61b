"""`/healthz`, `/readyz` and `/metrics` of a real hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.devices import device, frame, sample
from tests.hubs import Hub, Store, wait_until

OUTCOMES = ["stored", "duplicate", "rejected", "fenced"]
WANTED = [
    "weir_readings_taken_total",
    "weir_readings_pending",
    *(f'weir_readings_total{{outcome="{outcome}"}}' for outcome in OUTCOMES),
    *(f'weir_frames_total{{outcome="{outcome}"}}' for outcome in ("taken", "nacked", "ignored")),
    "weir_batch_readings_sum",
    "weir_batch_frames_sum",
    "weir_flush_seconds_sum",
    "weir_commit_seconds_sum",
    "weir_ack_seconds_sum",
    "weir_frames_in_flight",
    "weir_readings_buffered",
    "weir_bytes_in_flight",
    "weir_buffer_bytes",
    "weir_buffer_readings",
    "weir_window",
    "weir_flow_total",
    "weir_plain_waiting",
    "weir_clock_behind_seconds",
    "weir_devices_connected",
    "weir_tasks",
    "weir_database_in_trouble",
    'weir_database_trouble{reason="the disk is full"}',
    "weir_relay_summaries_total",
    "weir_relay_dropped_total",
    "weir_dashboards",
    "process_cpu_seconds_total",
]


METRICS_TOKEN = "a token for prometheus"
PROXY = "127.0.9.9"
FORWARDED = {"X-Forwarded-For": "192.0.2.7"}


@pytest.fixture(scope="module")
def hub(
    new_store: Callable[[str], Store], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    options = {"WEIR_METRICS_TOKEN": METRICS_TOKEN, "WEIR_TRUSTED_PROXIES": PROXY}
    with Hub(new_store("sqlite"), tmp_path_factory.mktemp("hub"), options=options) as hub:
        yield hub
        assert "Traceback" not in hub.log


def test_a_hub_is_alive_and_ready(hub: Hub) -> None:
    assert hub.ask("/healthz").json == {"alive": True}
    answer = hub.ask("/readyz")
    assert answer.json == {"ready": True, "writer": "ok", "database": "ok", "clock": "ok"}
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")


def test_a_probe_needs_no_name_that_the_hub_knows(hub: Hub) -> None:
    for path in ("/healthz", "/readyz"):
        assert hub.ask(path, headers={"Host": "10.0.0.7:8000"}).status == 200


@pytest.mark.parametrize("source", ["127.0.0.1", PROXY])
def test_who_asks_through_a_proxy_is_told_no_details(hub: Hub, source: str) -> None:
    answer = hub.ask("/readyz", headers=FORWARDED, source=source)
    assert (answer.status, answer.json) == (200, {"ready": True})
    answer = hub.ask("/metrics", headers=FORWARDED, source=source)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "weir_" not in answer.body


def test_who_shows_the_token_for_metrics_is_told_all(hub: Hub) -> None:
    shown = FORWARDED | {"Authorization": f"Bearer {METRICS_TOKEN}"}
    assert "writer" in hub.ask("/readyz", headers=shown).json
    assert "weir_readings_pending" in hub.ask("/metrics", headers=shown).body
    shown["Authorization"] += "!"
    assert hub.ask("/metrics", headers=shown).status == 401
    assert METRICS_TOKEN not in hub.log


def test_prometheus_needs_no_name_that_the_hub_knows_where_it_shows_the_token(hub: Hub) -> None:
    elsewhere = {"Host": "10.0.0.7:8000"}
    assert hub.ask("/metrics", headers=elsewhere).status == 400
    shown = elsewhere | {"Authorization": f"Bearer {METRICS_TOKEN}"}
    assert hub.ask("/metrics", headers=shown).status == 200
    wrong = elsewhere | {"Authorization": "Bearer a page's"}
    assert hub.ask("/metrics", headers=wrong).status == 400


def test_a_trusted_proxy_speaks_for_a_client_on_this_machine(hub: Hub) -> None:
    here = {"X-Forwarded-For": "127.0.0.1"}
    assert hub.ask("/metrics", headers=here, source=PROXY).status == 200
    assert hub.ask("/metrics", headers=here).status == 401


def test_a_probe_may_ask_for_the_head_alone(hub: Hub) -> None:
    answer = hub.ask("/readyz", method="HEAD")
    assert (answer.status, answer.body) == (200, "")


async def test_readings_are_counted_by_what_became_of_them(hub: Hub) -> None:
    before = hub.figures()
    async with device(hub.url, hub.store.add_device("counted")) as counted:
        await counted.hello()
        await counted.say(frame(1), frame(2, 1, 2), frame(3, 3))
        await counted.say({"seq": 4, "readings": [sample(4, ok=1, bad="x" * 2_000), sample(1)]})
        await counted.say(frame(1), frame(9))
        heard = [await counted.hear()]
        while {"ack", "nack"} - {message["type"] for message in heard}:
            heard.append(await counted.hear())
        wait_until(lambda: hub.figures()["weir_readings_pending"] == 0, "all is settled")
        assert hub.figures()["weir_devices_connected"] == 1
    wait_until(lambda: hub.figures()["weir_devices_connected"] == 0, "the device has left")
    after = hub.figures()

    def grown(name: str) -> float:
        return after[name] - before[name]

    assert grown("weir_readings_taken_total") == 7
    by_outcome = [grown(f'weir_readings_total{{outcome="{outcome}"}}') for outcome in OUTCOMES]
    assert by_outcome == [4, 2, 1, 0]
    assert grown('weir_frames_total{outcome="taken"}') == 4
    assert grown('weir_frames_total{outcome="nacked"}') == 1
    assert grown('weir_frames_total{outcome="ignored"}') == 1
    assert grown("weir_batch_readings_sum") == 7
    assert grown("weir_batch_frames_sum") == 4
    assert after["weir_readings_pending"] == after["weir_frames_in_flight"] == 0


def test_every_figure_that_operators_are_promised_is_there(hub: Hub) -> None:
    figures = hub.figures()
    assert [name for name in WANTED if name not in figures] == []


async def test_no_figure_is_kept_by_device_metric_or_path(hub: Hub) -> None:
    async with device(hub.url, hub.store.add_device("first")) as first:
        await first.ask({"first": 1})
    hub.ask("/metrics")
    before = hub.figures().keys()
    for n in range(3):
        async with device(hub.url, hub.store.add_device(f"more-{n}")) as more:
            await more.ask({f"metric-{n}": 1})
        hub.ask(f"/unknown/{n}", method=f"INVENTED{n}")
    assert hub.figures().keys() == before
