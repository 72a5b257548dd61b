"""A recorded room, replayed at sixty times its speed with its page open, is on the chart whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.pages import open_page
from tests.hubs import Hub, wait_until
from tests.programs import Simulators
from tests.recorded import recordings_folder

NAME = "room_climate_a01.csv"
ROWS = 1_200
"""Twenty minutes of the room, which are twenty seconds of the replay."""
NODES = [f"room-{node}" for node in range(1, 5)]
METRICS = ["temperature", "humidity", "door"]

# The buckets that a chart shows, as far as people see them.
SHOWN = """metric => {
    const plot = document.querySelector(`.chart[data-metric="${metric}"] .plot`);
    const { charted } = plot.chart.lines[0];
    const { start = [], count, min, max, last, stepMs } = charted.columns ?? {};
    return { stepMs, rows: start.map((ms, at) => [ms, count[at], min[at], max[at], last[at]]) };
}"""
STORED = """async ([metric, fromMs, stepMs]) => {
    const span = { from: fromMs, to: "now", step_ms: stepMs, points: 5000 };
    const asked = { series: `room-1/${metric}`, ...span };
    const answer = await fetch(`/api/v1/history?${new URLSearchParams(asked)}`);
    const { start, count, min, max, last } = (await answer.json()).series[0].columns;
    const rows = start.map((ms, at) => [ms, count[at], min[at], max[at], last[at]]);
    return rows.filter(row => row[1] > 0);
}"""


@pytest.fixture
def minutes(tmp_path: Path) -> Path:
    """The recording's first minutes."""
    recorded = recordings_folder() / NAME
    if not recorded.is_file():
        pytest.skip(f"no {recorded}: WEIR_TEST_DATA names the folder of recordings")
    lines = recorded.read_text().splitlines(keepends=True)[:ROWS]
    (tmp_path / NAME).write_text("".join(lines))
    return tmp_path / NAME


def shown(page: Page, metric: str) -> Any:
    return page.evaluate(SHOWN, metric)


def test_a_replay_is_on_the_page_whole_and_once(
    page: Page, hub: Hub, minutes: Path, tmp_path: Path
) -> None:
    page.set_viewport_size({"width": 1280, "height": 2400})  # only what is in sight is drawn
    tokens = hub.store.write_tokens(tmp_path / "tokens", NODES)
    options = ["--format", "room-climate", "--device-prefix", "room-", "--shift-to-now"]
    with Simulators(hub, tokens, "replay", str(minutes), *options, "--speed", "60") as replay:
        open_page(page, hub, "/devices/room-1/?from=now-1h&to=now")
        wait_until(lambda: len(shown(page, "temperature")["rows"]) > 5, "the chart grows")
        assert replay.runs, "the page is looked at while the room is replayed"
        result = replay.result()
    assert result["acked"] == result["sent"] > 0
    assert hub.store.readings() > ROWS
    for metric in METRICS:
        step_ms = shown(page, metric)["stepMs"]

        def is_whole(metric: str = metric, step_ms: int = step_ms) -> bool:
            rows = shown(page, metric)["rows"]
            return bool(rows) and rows == page.evaluate(STORED, [metric, rows[0][0], step_ms])

        wait_until(is_whole, f"the chart of {metric} shows what is stored")
