"""Takes the pictures that the documents show, of a real hub.

    python -m tests.browser.pictures            a simulated fleet
    python -m tests.browser.pictures FOLDER     and a recorded room replayed, with its page open

No test, but made of the tests' parts: what is shown is what the hub does. The moving picture takes
`img2webp` (Debian: webp).
"""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import django
from playwright.sync_api import Browser, Page, sync_playwright

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()

from tests import ROOT  # noqa: E402
from tests.browser.chromium import FLAGS, chromium  # noqa: E402
from tests.browser.pages import PASSWORD, open_page, send_at  # noqa: E402
from tests.hubs import Hub, Store, manage, wait_until  # noqa: E402
from tests.programs import Simulators  # noqa: E402

IMAGES = ROOT / "docs" / "images"
FLEET = {
    "attic": "Attic",
    "boiler-room": "Boiler room",
    "cold-store-1": "Cold store 1",
    "cold-store-2": "Cold store 2",
    "greenhouse-north": "Greenhouse, north bench",
    "greenhouse-south": "Greenhouse, south bench",
    "orchard-weather": "Orchard weather mast",
    "rain-tank": "Rain-water tank",
}
UNITS = {"temperature": "°C", "humidity": "%", "co2": "ppm"}
UNITS |= {"soil": "°C", "moisture": "%", "light": "lx"}
WATCHED_S = 240.0
"""For the fleet's lines of five minutes to be there."""
PAST_H = 24 * 7

ROOM = "room_climate_a01.csv"
SPEED = 60
FRAME_S = 1.5
FRAME_SHOWN_MS = 150
FRAMES_MOST = 120


def main(folder: str = "") -> None:
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as place:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        with a_hub(Path(place) / "fleet") as hub:
            take_stills(browser, hub, Path(place))
        if folder:
            with a_hub(Path(place) / "room") as hub:
                take_replay(browser, hub, Path(folder), Path(place))
        browser.close()


@contextmanager
def a_hub(folder: Path) -> Iterator[Hub]:
    folder.mkdir()
    store = Store.migrated(f"sqlite:///{folder / 'weir.sqlite3'}")
    os.environ["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    manage(store.url, "createsuperuser", "--noinput", "--username", "ada", "--email", "a@e.org")
    with Hub(store, folder) as hub:
        yield hub


@contextmanager
def a_page(
    browser: Browser, hub: Hub, theme: Literal["dark", "light"], path: str, height: int = 860
) -> Iterator[Page]:
    size = {"width": 1280, "height": height}
    context = browser.new_context(color_scheme=theme, viewport=size, device_scale_factor=1)  # type: ignore[arg-type]
    page = context.new_page()
    open_page(page, hub, path)
    yield page
    context.close()


def take_stills(browser: Browser, hub: Hub, folder: Path) -> None:
    tokens = hub.store.write_tokens(folder / "tokens", list(FLEET))
    for uid, name in FLEET.items():
        hub.store.rows("UPDATE devices_device SET name = %s WHERE uid = %s", name, uid)
    hub.store.rows("UPDATE devices_device SET expected_interval_s = 1")
    greenhouses = {uid: hub.store.add_device(uid) for uid in FLEET if "greenhouse" in uid}
    for number, token in enumerate(greenhouses.values()):
        send_week(hub, token, number)
    devices = ("--devices", str(len(FLEET)), "--rate", "1", "--metrics", "4")
    with Simulators(hub, tokens, "run", *devices, "--duration", "1h") as simulators:
        sending = "SELECT count(*) FROM devices_series WHERE metric = 'temperature'"
        wait_until(lambda: hub.store.number(sending) == len(FLEET), "the fleet sends")
        for metric, unit in UNITS.items():
            hub.store.rows("UPDATE devices_series SET unit = %s WHERE metric = %s", unit, metric)
        hub.store.rows("UPDATE devices_series SET low = 11, high = 26 WHERE metric = 'soil'")
        with a_page(browser, hub, "light", "/") as page:
            page.wait_for_timeout(WATCHED_S * 1_000)
            page.screenshot(path=IMAGES / "fleet.png")
        with a_page(browser, hub, "dark", "/devices/greenhouse-north/?from=now-7d&to=now") as page:
            page.wait_for_timeout(8_000)
            page.screenshot(path=IMAGES / "device.png")
        series = "&".join(f"series={uid}/soil" for uid in greenhouses)
        with a_page(browser, hub, "light", f"/compare/?{series}&from=now-7d&to=now", 640) as page:
            page.wait_for_timeout(8_000)
            page.mouse.move(640, 400)
            page.wait_for_timeout(500)
            page.screenshot(path=IMAGES / "compare.png")
        assert simulators.runs


def send_week(hub: Hub, token: str, number: int) -> None:
    """A week of a greenhouse, a sample each two minutes, with an afternoon lost."""
    random.seed(number)
    now_ms = int(time.time() * 1_000)
    samples = {}
    for minutes in range(PAST_H * 60, 0, -2):
        if 50 * 60 < minutes < 58 * 60:
            continue
        hour = (now_ms / 3_600_000 - minutes / 60) % 24
        day, sun = (math.sin((hour - rise) / 24 * math.tau) for rise in (9, 8))
        samples[now_ms - minutes * 60_000] = {
            "soil": round(18 + number + 7 * day + random.gauss(0, 0.4), 2),
            "moisture": round(46 - (minutes % 2_600) / 140 + random.gauss(0, 0.3), 1),
            "light": round(max(0.0, sun) * 900 * random.uniform(0.7, 1)),
            "vent": sun > 0.6,
        }
    times = list(samples)
    for start in range(0, len(times), 1_000):
        send_at(hub, token, {at: samples[at] for at in times[start : start + 1_000]})


def take_replay(browser: Browser, hub: Hub, recorded: Path, folder: Path) -> None:
    """The room's page while two hours of it come in two minutes, as a moving picture."""
    uids = [f"room-{node}" for node in range(1, 5)]
    tokens = hub.store.write_tokens(folder / "room-tokens", uids)
    options = ["--format", "room-climate", "--device-prefix", "room-", "--shift-to-now"]
    frames: list[Path] = []
    with ExitStack() as stack:
        replay = Simulators(
            hub, tokens, "replay", str(recorded / ROOM), *options, "--speed", str(SPEED)
        )
        stack.enter_context(replay)
        wait_until(lambda: hub.store.readings() > 0, "the replay has begun")
        where = "/devices/room-1/?from=now-3h&to=now"
        page = stack.enter_context(a_page(browser, hub, "dark", where, 900))
        while replay.runs and len(frames) < FRAMES_MOST:
            frames.append(folder / f"frame-{len(frames):03}.png")
            page.screenshot(path=frames[-1])
            page.wait_for_timeout(FRAME_S * 1_000)
    command = ["img2webp", "-loop", "0", "-lossy", "-q", "60", "-d", str(FRAME_SHOWN_MS)]
    command += [*map(str, frames), "-o", str(IMAGES / "replay.webp")]
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
