"""A SQLite file is damaged: before a start, and under a running hub."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from faults import Row
from faults.acks import Acks
from faults.intact import intact
from faults.place import Place
from tests.hubs import Hub, manage, wait_until

TITLE = "The SQLite file is damaged"
ENGINES = ("sqlite",)

PAGE_BYTES = 4096
DAY_MS = 86_400_000

Breaking = Callable[[Path], None]


def run(place: Place) -> list[Row]:
    devices, rows = place.scale((3, 2_000), (20, 200_000))
    store = place.store()
    path = Path(store.url.removeprefix("sqlite:///"))
    hub = place.hub(store)
    recording = _recording(place.folder / "old.csv", rows)
    old = place.fleet(
        *(hub, place.tokens(store, 1, "old-"), "replay", str(recording), "--format", "csv"),
        *("--time-column", "ms", "--time-format", "ms", "--value-columns", "level"),
    )
    old.result()
    # What is old must be sealed, and in the file itself: it is read there when more of it comes.
    wait_until(
        lambda: store.number("SELECT count(*) FROM ingest_sealed") == rows,
        "the old are sealed",
        150,
    )
    assert hub.terminate() == 0
    _fold_in(path)
    ways = place.rng.sample(list(WAYS.items()), 2) if place.short else list(WAYS.items())
    _starts_on_nothing_damaged(hub, path, ways)
    hub.start()
    fleet = place.fleet(
        *(hub, place.tokens(store, devices), "run", "--rate", "5", "--samples", "5"),
        *("--duration", "forever", "--wait", "120s"),
    )
    acks = Acks(fleet)
    acks.wait_s(devices)
    bearer = {"Authorization": f"Bearer {store.add_device('late')}"}
    whole = _damage(path, _pages_of(path, "ingest_sealed"))
    _met_by(hub, bearer, rows)
    _writes_nothing_more(place, hub, acks, devices)
    said = manage(store.url, "checkdatabase", check=False)
    assert said.returncode == 1
    assert "wrong: " in said.stdout, said.stdout
    hub.terminate()
    _repair(path, whole)
    acks.mark()
    hub.start()
    acks.wait_s(devices)
    result = fleet.stop()
    assert (result["dropped"], result["stopped"]) == (0, 0), result
    assert hub.terminate() == 0
    assert manage(store.url, "checkdatabase").returncode == 0
    return [
        place.row(
            store,
            done=f"at a start in {len(ways)} ways, and the root page of a table under a running hub"
            f" with {devices} devices",
            seen="each start refused in one sentence and the file left as it was; the running hub"
            " wrote nothing more, said so by name, and no device was disconnected; after the pages"
            f" were put back all went on; {intact(store)}",
            figures={"ways_at_start": len(ways)},
        )
    ]


def _recording(path: Path, rows: int) -> Path:
    began_ms = (time.time_ns() // 1_000_000 - 2 * DAY_MS) // 60_000 * 60_000
    lines = [f"{began_ms + n * 500},{n % 97}.5" for n in range(rows)]
    path.write_text("\n".join(["ms,level", *lines]) + "\n")
    return path


def _fold_in(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _starts_on_nothing_damaged(hub: Hub, path: Path, ways: list[tuple[Breaking, str]]) -> None:
    """Each way is tried on the hub's own file, which is then put back."""
    good = path.with_name("good")
    shutil.copy(path, good)
    for breaking, said in ways:
        breaking(path)
        broken = path.read_bytes()
        before = len(hub.log)
        hub.launch()
        assert hub.end() == 1
        [sentence] = hub.log[before:].splitlines()
        assert said in sentence, sentence
        assert path.read_bytes() == broken
        for beside in path.parent.glob(f"{path.name}-*"):
            beside.unlink()
        shutil.copy(good, path)


def _other_bytes(path: Path) -> None:
    path.write_bytes(b"temperature,humidity\n" * 1_000)


def _cut_off(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _something_else(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE albums (title)")


def _no_schema(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 1_000)


def _no_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE ingest_rollup")
    _fold_in(path)


WAYS: dict[Breaking, str] = {
    _other_bytes: "is not a SQLite database",
    _cut_off: "is damaged: it was cut off",
    _something_else: "is a database of something else",
    _no_schema: "is damaged: ",
    _no_table: "has no ingest_rollup",
}


def _pages_of(path: Path, table: str) -> list[int]:
    """Its root, which every look into it begins with."""
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        return [page for (page,) in database.execute(query, [table])]


def _damage(path: Path, pages: list[int]) -> dict[int, bytes]:
    """Noise in place of these pages; what they were."""
    whole: dict[int, bytes] = {}
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE_BYTES)
            whole[page] = file.read(PAGE_BYTES)
            file.seek((page - 1) * PAGE_BYTES)
            file.write(b"\xa5" * PAGE_BYTES)
    return whole


def _repair(path: Path, whole: dict[int, bytes]) -> None:
    with path.open("r+b") as file:
        for page, content in whole.items():
            file.seek((page - 1) * PAGE_BYTES)
            file.write(content)


def _met_by(hub: Hub, bearer: dict[str, str], rows: int) -> None:
    """A late reading, which is looked for among what is sealed; sealing itself may come first."""
    began_ms = time.time_ns() // 1_000_000 - 3 * DAY_MS
    body = f'{{"readings":[{{"ts":{began_ms},"values":{{"again":{rows}}}}}]}}'
    answer = hub.ask("/ingest/", body, headers=bearer)
    assert answer.status in (429, 503), answer
    wait_until(lambda: hub.figures()["weir_database_damaged"] == 1, "the damage is met")


def _writes_nothing_more(place: Place, hub: Hub, acks: Acks, devices: int) -> None:
    answer = hub.ask("/readyz")
    assert answer.status == 503
    assert "the database is damaged" in answer.json["writer"]
    acks.mark(reconnected=False)
    log = len(hub.log)
    time.sleep(place.scale(1.5, 30.0))
    acks.look()
    assert not acks.acked
    assert hub.figures()["weir_devices_connected"] == devices
    assert hub.log.count("CRITICAL") == 1
    assert hub.log[log:].count("damaged") == 0, hub.log[log:]
