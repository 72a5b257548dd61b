"""The fleet page in a real browser, filtered to the probe's row, which is watched for new text.

    python -m benchmarks.page PORT USER PASSWORD

Prints `open` once the row is live, and at SIGTERM when each value of the probe was in the page, by
its value and in Unix seconds of the browser, whose clock is the machine's. Prints `none` where
there is no browser.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import Final

from playwright.sync_api import Page, sync_playwright

from benchmarks.probe import UID
from tests.browser.chromium import FLAGS, chromium

WATCH: Final = """(uid) => {
  const row = document.querySelector(`[data-uid="${uid}"]`);
  window.probed = new Map();
  const note = () => {
    const found = row.textContent.match(/1[0-9]{5}/);
    if (found && !window.probed.has(found[0])) window.probed.set(found[0], Date.now() / 1000);
  };
  new MutationObserver(note).observe(row, { subtree: true, childList: true, characterData: true });
}"""


def main(port: str, user: str, password: str) -> None:
    program = chromium()
    if program is None:
        print("none", flush=True)
        return
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(60_000)
        _open(page, f"http://127.0.0.1:{port}", user, password)
        print("open", flush=True)
        while not ended:
            page.wait_for_timeout(200)
        probed = page.evaluate("[...window.probed].map(([value, at]) => [Number(value), at])")
        print(json.dumps({"seen": probed}), flush=True)
        browser.close()


def _open(page: Page, hub: str, user: str, password: str) -> None:
    page.goto(f"{hub}/accounts/login/")
    page.fill("[name=username]", user)
    page.fill("[name=password]", password)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{hub}/")
    page.goto(f"{hub}/?q={UID}")
    page.evaluate(WATCH, UID)
    deadline_s = time.monotonic() + 60
    while not page.evaluate("window.probed.size"):
        assert time.monotonic() < deadline_s, "the probe does not show"
        page.wait_for_timeout(200)


if __name__ == "__main__":
    main(*sys.argv[1:])
