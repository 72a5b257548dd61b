"""What a test does with a page and its hub, whatever it then looks at."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count

from playwright.sync_api import Locator, Page, expect

from tests.hubs import Hub

PASSWORD = "a long one for ada"


def open_page(page: Page, hub: Hub, path: str = "/") -> None:
    """Log in, and wait until the page is live."""
    page.goto(f"http://127.0.0.1:{hub.port}{path}")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect_live(page)


def expect_live(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-line", "live")


def send(hub: Hub, token: str, **values: object) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answer = hub.ask("/ingest/", json.dumps(values), headers=headers)
    assert answer.status == 200, answer


def send_at(hub: Hub, token: str, samples: Mapping[int, Mapping[str, object]]) -> None:
    """Values by the time of their readings, in Unix milliseconds."""
    readings = [{"ts": ts_ms, "values": values} for ts_ms, values in samples.items()]
    headers = {"Authorization": f"Bearer {token}"}
    answer = hub.ask("/ingest/", json.dumps({"readings": readings}), headers=headers)
    assert answer.status == 200, answer


def row(page: Page, uid: str) -> Locator:
    """A device's row on the fleet page."""
    return page.locator(f'tr[data-uid="{uid}"]')


@contextmanager
def sending(hub: Hub, token: str) -> Iterator[None]:
    """A device that sends a temperature, one higher each time, several times a second."""
    stopped = threading.Event()

    def run() -> None:
        for number in count():
            send(hub, token, temperature=number)
            if stopped.wait(0.15):
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
