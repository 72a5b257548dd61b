"""The browser's pure modules: rates from totals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

STATIC = Path(__file__).parents[2] / "dashboards" / "static" / "dashboards"
ORIGIN = "http://modules.test"

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(browser: Browser) -> Iterator[Run]:
    """Runs a script with the names of one module in scope, served without any hub."""
    page: Page = browser.new_page()
    page.route(
        f"{ORIGIN}/**",
        lambda route: (
            route.fulfill(path=STATIC / Path(route.request.url).name)
            if route.request.url.endswith(".js")
            else route.fulfill(body="<!doctype html>", content_type="text/html")
        ),
    )
    page.goto(f"{ORIGIN}/")

    def run(module: str, script: str) -> Any:
        return page.evaluate(f"async () => {{ const m = await import('/{module}.js'); {script} }}")

    yield run
    page.close()


def test_a_rate_is_what_came_over_the_time_it_took(run: Run) -> None:
    script = """const rate = new m.Rate(10_000);
        for (let s = 0; s <= 5; s += 1) rate.add(s * 1000, s * 7);
        return rate.at(5000);"""
    assert run("rates", script) == 7


def test_a_rate_needs_a_moment_before_it_says_anything(run: Run) -> None:
    script = "const rate = new m.Rate(); rate.add(0, 5); rate.add(1000, 9); return rate.at(1000);"
    assert run("rates", script) is None


def test_a_rate_falls_to_zero_when_nothing_comes(run: Run) -> None:
    script = """const rate = new m.Rate(10_000);
        for (let s = 0; s <= 5; s += 1) rate.add(s * 1000, s * 7);
        return [rate.at(12_000), rate.at(60_000)];"""
    falling, gone = run("rates", script)
    assert 0 < falling < 7
    assert gone == 0


def test_a_total_that_fell_begins_anew(run: Run) -> None:
    script = """const rate = new m.Rate(10_000);
        rate.add(0, 1000); rate.add(1000, 2000); rate.add(2000, 0); rate.add(6000, 8);
        return rate.at(6000);"""
    assert run("rates", script) == 2
