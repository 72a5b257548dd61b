"""What a test does with a page and its hub, whatever it then looks at."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
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


def sending(hub: Hub, token: str) -> AbstractContextManager[None]:
    """A device that sends a temperature, one higher each time, several times a second."""

    def run(stopped: threading.Event) -> None:
        for number in count():
            send(hub, token, temperature=number)
            if stopped.wait(0.15):
                return

    return beside(run)


@contextmanager
def beside(run: Callable[[threading.Event], None]) -> Iterator[None]:
    """`run` in a thread of its own, which is told to end by the event it is given."""
    stopped = threading.Event()
    thread = threading.Thread(target=run, args=[stopped])
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
