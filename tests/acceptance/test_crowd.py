"""After an outage all devices come back at once, with full spools: they trip no limit."""

from __future__ import annotations

import time
from pathlib import Path

from tests.hubs import Hub, Store, wait_until
from tests.programs import ZEROS, Simulators, differences, reconciled

DEVICES = [f"sim-{n:03}" for n in range(300)]
FRAMES_PER_S = 4
OUTAGE_S = 8.0
# What a device sends on a quiet day is most of its rate; what it kept, it must bring by the burst.
OPTIONS = {"WEIR_RATE_FRAMES_PER_S": 5}


def test_a_crowd_that_comes_back_with_full_spools_is_let_in(
    sqlite_store: Store, folder: Path
) -> None:
    tokens, ledger = sqlite_store.write_tokens(folder / "tokens", DEVICES), folder / "ledger"
    run = ("--rate", str(FRAMES_PER_S), "--duration", "20s", "--wait", "60s", "--drain", "90s")
    with (
        Hub(sqlite_store, folder, options=OPTIONS) as hub,
        Simulators(hub, tokens, "run", *run, "--ledger", str(ledger)) as fleet,
    ):
        wait_until(lambda: sqlite_store.readings() > 1_000, "readings arrive")
        hub.kill()
        back_s = time.monotonic() + OUTAGE_S
        wait_until(lambda: time.monotonic() > back_s, "the outage is over")
        hub.start()
        result = fleet.result()
        figures = hub.figures()
    met = {
        name: times
        for name, times in figures.items()
        if name.startswith("weir_bounds_met_total") and "_per_s" in name and times
    }
    assert met == {}
    assert not {"rate_limited", "window_exceeded", "too_many_failures"} & set(result["errors"])
    assert "4429" not in result["closes"]
    assert result["reconnects"] >= len(DEVICES)
    assert (result["unacked"], result["dropped"], result["stopped"]) == (0, 0, 0)
    assert result["stored"] == result["sent"]
    report = reconciled(sqlite_store, ledger)
    assert differences(report) == ZEROS, report["examples"]
    assert "Traceback" not in hub.log
