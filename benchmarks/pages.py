"""What the fleet page costs a browser, with a thousand devices that all send every second.

    python -m benchmarks.pages [--devices N] [--seconds S] [--json FILE]

Measured are the first contentful paint, as the browser tells it, with an empty cache; and the
processor time that scripts take of each frame while everything updates, out of the browser's own
trace. The hub has a core of its own; devices and browser share the other.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from benchmarks import ROOT, Trouble, django_setup, frames  # noqa: F401
from benchmarks.machine import Cores, cores, described, pinned
from benchmarks.programs import keep

from tests.browser.chromium import FLAGS, chromium  # isort: skip
from tests.browser.pages import PASSWORD, open_page  # isort: skip
from tests.hubs import Hub, Store, manage  # isort: skip

LATEST: Final = Path("benchmarks/results/pages.json")
DEVICES, SECONDS, LOADS = 1_000, 20, 5
PAINT_WANTED_MS, SCRIPT_WANTED_MS = 1_000, 8
WAIT_MS: Final = 60_000
DESK: Final[ViewportSize] = {"width": 1280, "height": 800}

FIRST_PAINT = """async () => {
    const paint = performance.getEntriesByName("first-contentful-paint")[0]
        ?? await new Promise(found => new PerformanceObserver(list => {
            const first = list.getEntriesByName("first-contentful-paint")[0];
            if (first) found(first);
        }).observe({ type: "paint", buffered: true }));
    const [page] = performance.getEntriesByType("navigation");
    return [page.responseStart, page.responseEnd, page.domInteractive, paint.startTime];
}"""


@dataclass(frozen=True)
class Figures:
    """In milliseconds."""

    answer_begins: float
    answer_ends: float
    parsed: float
    first_paint: float
    frames: int
    script_p50: float
    script_p95: float
    script_most: float
    rendering_p50: float
    rendering_p95: float


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--devices", type=int, default=DEVICES)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--json", type=Path, default=LATEST)
    options = parser.parse_args(arguments)
    try:
        chosen = cores()
        machine = described(chosen)
        with sending_fleet(options.devices, chosen) as hub, browser_on(chosen.client) as browser:
            figures = measure(browser, hub, options.seconds)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    answer = {"machine": machine, "devices": options.devices, "figures": asdict(figures)}
    keep(options.json, answer)
    print(f"{machine['processor']}, {options.devices:,} devices; commit {machine['commit']}\n")
    print(table(figures))
    return 0


@contextmanager
def sending_fleet(devices: int, chosen: Cores) -> Iterator[Hub]:
    """A hub, and simulators of its whole fleet that send one sample of three metrics a second."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store.migrated(f"sqlite:///{folder / 'weir.sqlite3'}")
        manage(store.url, "makefleet", str(devices), "--tokens", str(folder / "tokens"))
        os.environ["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
        ada = ("--username", "ada", "--email", "ada@example.com")
        manage(store.url, "createsuperuser", "--noinput", *ada)
        store.rows("UPDATE devices_device SET expected_interval_s = 1")
        hub = Hub(store, folder)
        hub.command = pinned(chosen.server, hub.command)
        with hub:
            given = ["--url", hub.url, "--tokens", str(folder / "tokens"), "--duration", "forever"]
            command = [sys.executable, "-m", "simulators", "run", "--quiet", *given]
            simulators = subprocess.Popen(pinned(chosen.client, command), cwd=ROOT)
            try:
                yield hub
            finally:
                simulators.kill()
                simulators.wait()


@contextmanager
def browser_on(core: int) -> Iterator[Browser]:
    program = chromium()
    if program is None:
        raise Trouble("The benchmark needs chromium on PATH.")
    os.sched_setaffinity(0, {core})  # what is started from here on stays there, too
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


def measure(browser: Browser, hub: Hub, seconds: int) -> Figures:
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    open_page(page, hub)
    page.wait_for_function("() => Number(document.getElementById('online').textContent) > 900")
    loads = [load(browser, hub, page) for _ in range(LOADS)]
    begins, ends, parsed, paint = (statistics.median(each) for each in zip(*loads, strict=True))
    found = frames.frames(trace(browser, page, seconds))
    if not found:
        raise Trouble("The page drew nothing while it was looked at.")
    script = [each.script_ms for each in found]
    rendering = [each.rendering_ms for each in found]
    return Figures(
        answer_begins=round(begins),
        answer_ends=round(ends),
        parsed=round(parsed),
        first_paint=round(paint),
        frames=len(found),
        script_p50=round(frames.share(script, 0.5), 2),
        script_p95=round(frames.share(script, 0.95), 2),
        script_most=round(max(script), 2),
        rendering_p50=round(frames.share(rendering, 0.5), 2),
        rendering_p95=round(frames.share(rendering, 0.95), 2),
    )


def load(browser: Browser, hub: Hub, logged_in: Page) -> list[float]:
    """One load of the page with an empty cache, by somebody who is logged in."""
    context = browser.new_context(viewport=DESK, storage_state=logged_in.context.storage_state())
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{hub.port}/")
    times: list[float] = page.evaluate(FIRST_PAINT)
    context.close()
    return times


def trace(browser: Browser, page: Page, seconds: int) -> list[dict[str, Any]]:
    page.bring_to_front()
    browser.start_tracing(page=page, categories=frames.CATEGORIES)
    page.wait_for_timeout(seconds * 1000)
    events: list[dict[str, Any]] = json.loads(browser.stop_tracing())["traceEvents"]
    return events


def table(figures: Figures) -> str:
    lines = [
        ("fleet page", "ms", "wanted"),
        ("answer begins", figures.answer_begins, ""),
        ("answer ends", figures.answer_ends, ""),
        ("parsed", figures.parsed, ""),
        ("first contentful paint", figures.first_paint, PAINT_WANTED_MS),
        (f"script a frame, p50 of {figures.frames}", figures.script_p50, ""),
        ("script a frame, p95", figures.script_p95, SCRIPT_WANTED_MS),
        ("script a frame, most", figures.script_most, ""),
        ("style, layout and paint, p50", figures.rendering_p50, ""),
        ("style, layout and paint, p95", figures.rendering_p95, ""),
    ]
    return "\n".join(f"{name:34}{value!s:>8}{wanted!s:>8}" for name, value, wanted in lines)


if __name__ == "__main__":
    raise SystemExit(main())
