"""Readings that cannot be stored, in good frames: some the hub refuses, some only its database."""

from __future__ import annotations

from pathlib import Path

from faults import BOTH, Row
from faults.intact import intact
from faults.place import Place
from tests.hubs import Store, wait_until

TITLE = "One reading of a hundred is poison"
ENGINES = BOTH

SHARE = 0.01
PATIENCE_S = 1_800.0
"""A batch with poison is written in halves, and its frame reading by reading."""
HUGE = "1e301"
"""The hub knows that no series takes it: `out_of_range`."""
CURSED = "-666.5"
"""Only the database knows, by a rule that this test gives it: `unstorable`."""
T0_MS = 1_600_000_000_000
METRICS = ("level", "flow")


def run(place: Place) -> list[Row]:
    rows, devices = place.scale((1_500, 2), (50_000, 20))
    store = place.store()
    _refuse_the_cursed(store)
    hub = place.hub(store, WEIR_SEAL_GRACE_S=0, WEIR_REFUSED_KEPT=10**6)
    neighbours = place.fleet(
        *(hub, place.tokens(store, devices), "run", "--rate", "5", "--samples", "5"),
        *("--duration", "forever", "--wait", "60s"),
    )
    recording = place.folder / "recording.csv"
    poison = _write(place, recording, rows)
    poisoned = place.fleet(
        *(hub, place.tokens(store, 1, "poisoned-"), "replay", str(recording)),
        *("--format", "csv", "--time-column", "ms", "--time-format", "ms", "--samples", "20"),
        *("--value-columns", ",".join(METRICS), "--wait", "60s", "--drain", "60s"),
    )
    wait_until(lambda: not poisoned.runs, "all of it is sent and settled", PATIENCE_S)
    sent = poisoned.result()
    all_readings = rows * len(METRICS)
    assert (sent["sent"], sent["unacked"], sent["dropped"]) == (all_readings, 0, 0), sent
    assert (sent["rejected"], sent["duplicate"]) == (len(poison), 0), sent
    assert sent["stored"] == all_readings - len(poison), sent
    well = neighbours.stop()
    assert (well["rejected"], well["reconnects"], well["stopped"]) == (0, 0, 0), well
    assert hub.terminate() == 0
    _are_kept(store, poison)
    return [
        place.row(
            store,
            done=f"{len(poison):,} of {all_readings:,} readings in frames of 40, half of them known"
            f" to the database alone, beside {devices} devices that send none",
            seen="exactly those were refused, and are kept by name; every other one is stored;"
            f" {intact(store)}",
            figures={"poison_readings": len(poison)},
        )
    ]


def _write(place: Place, path: Path, rows: int) -> list[tuple[str, str]]:
    """A recording, two readings a second; its poison as (metric, code)."""
    poison: list[tuple[str, str]] = []

    def value(metric: str) -> str:
        if place.rng.random() >= SHARE:
            return f"{place.rng.gauss(20, 5):.3f}"
        huge = place.rng.random() < 0.5
        poison.append((metric, "out_of_range" if huge else "unstorable"))
        return HUGE if huge else CURSED

    lines = [",".join([str(T0_MS + n * 1_000), *map(value, METRICS)]) for n in range(rows)]
    path.write_text("\n".join([",".join(["ms", *METRICS]), *lines]) + "\n")
    return poison


def _refuse_the_cursed(store: Store) -> None:
    if not store.is_sqlite:
        store.rows(f"ALTER TABLE ingest_reading ADD CHECK (value <> {CURSED})")
        return
    for table in ("ingest_recent", "ingest_sealed"):
        store.rows(
            f"CREATE TRIGGER {table}_cursed BEFORE INSERT ON {table} WHEN NEW.value = {CURSED}"
            " BEGIN SELECT RAISE(ABORT, 'cursed'); END"
        )


def _are_kept(store: Store, poison: list[tuple[str, str]]) -> None:
    """Each refused reading can be looked at, with its metric and why."""
    kept = store.rows(
        "SELECT metric, code, sum(count) FROM ingest_refusedreading GROUP BY metric, code"
        " ORDER BY metric, code"
    )
    wanted = sorted({(*each, poison.count(each)) for each in poison})
    assert [(metric, code, int(count)) for metric, code, count in kept] == wanted
