"""`manage.py backup` and `restore` beside real hubs; also those that are killed on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg
import pytest

from project.copies import CannotCopy
from project.copies.folder import opened
from tests import ROOT
from tests.hubs import Hub, Store, environment, manage, wait_until
from tests.programs import ZEROS, Simulators, differences, reconciled

DEVICES = [f"sim-{n}" for n in range(6)]
# Sealing is always at work: a minute is sealed as soon as it has closed.
OPTIONS = {"WEIR_SEAL_GRACE_S": 0, "WEIR_SEAL_SLICE_READINGS": 2_000}
PATIENT = ("--wait", "60s", "--drain", "60s")
STEADY = ("--rate", "10", "--samples", "3", "--duration", "1h", "--state", *PATIENT)


def total(store: Store) -> int:
    return store.readings() + store.number("SELECT count(*) FROM ingest_textreading")


def wait_for_more(store: Store, readings: int = 400) -> None:
    enough = store.readings() + readings
    wait_until(lambda: store.readings() >= enough, "readings arrive")


def wait_until_each_goes_on(store: Store) -> None:
    """Every device's stream moves on from here."""
    ask = "SELECT device_id, committed FROM ingest_stream"
    now = dict(store.rows(ask))
    assert len(now) >= len(DEVICES)
    wait_until(
        lambda: all(committed > now[device] for device, committed in store.rows(ask)),
        "each stream goes on",
    )


def has_acks(ledger: Path) -> bool:
    return ledger.exists() and b'"settled"' in ledger.read_bytes()


def told_by_now(ledger: Path, path: Path) -> Path:
    """What devices had been told when this was called."""
    text = ledger.read_bytes()
    path.write_bytes(text[: text.rindex(b"\n") + 1])
    return path


def readings_in(copy: Path) -> int:
    lines = json.loads((copy / "manifest.json").read_text())["sums"]
    return sum(line["rows"] for line in lines if "reading" in line["table"])


def failing(store: Store, *arguments: str) -> str:
    """The one sentence of a command that is refused."""
    ended = manage(store.url, *arguments, check=False)
    assert ended.returncode == 1, ended.stdout
    assert "Traceback" not in ended.stderr
    return ended.stderr.strip()


def checked(store: Store) -> None:
    ended = manage(store.url, "checkdatabase", check=False)
    assert ended.returncode == 0, ended.stdout


def write_recording(path: Path) -> Path:
    """Readings of a day long ago, so that all are late."""
    rows = (f"{1_600_000_000_000 + n * 1_000},{n % 7}" for n in range(6_000))
    path.write_text("\n".join(["ms,level", *rows]) + "\n")
    return path


def test_a_copy_made_while_devices_stream_is_one_moment_with_all_that_was_acked(
    store: Store, new_store: Callable[[str], Store], folder: Path
) -> None:
    live, old, copy = folder / "live.ledger", folder / "old.ledger", folder / "copy"
    replay = ("--format", "csv", "--time-column", "ms", "--time-format", "ms", "--samples", "10")
    with Hub(store, folder, options=OPTIONS) as hub, ExitStack() as stack:
        tokens = [store.write_tokens(folder / "live", DEVICES)]
        tokens.append(store.write_tokens(folder / "old", ["archive"]))
        fleet = Simulators(hub, tokens[0], "run", *STEADY, "--ledger", str(live))
        stack.enter_context(fleet)
        recording = str(write_recording(folder / "old.csv"))
        given = ("replay", recording, *replay, "--value-columns", "level", *PATIENT)
        stack.enter_context(Simulators(hub, tokens[1], *given, "--ledger", str(old)))
        wait_for_more(store)
        for path in (live, old):
            wait_until(partial(has_acks, path), "all are acked")
        before = [told_by_now(path, folder / f"{path.name}.before") for path in (live, old)]
        said = manage(store.url, "backup", str(copy)).stdout
        wait_for_more(store)
        assert fleet.stop()["dropped"] == 0
        assert "Traceback" not in hub.log
    other = new_store("sqlite" if store.is_sqlite else "postgresql")
    manage(other.url, "restore", str(copy))
    assert f"{total(other):,} readings of 7 devices" in said
    report = reconciled(other, *before)
    assert differences(report) == ZEROS, report["examples"]
    # A batch is in it whole or not at all: streams count what is stored.
    assert other.number("SELECT sum(stored) FROM ingest_stream") == total(other)
    checked(other)


def test_devices_go_on_after_a_restore(store: Store, folder: Path) -> None:
    ledger, copy = folder / "ledger", folder / "copy"
    tokens = store.write_tokens(folder / "tokens", DEVICES)
    with Hub(store, folder, options=OPTIONS) as hub:
        with Simulators(hub, tokens, "run", *STEADY, "--ledger", str(ledger)) as fleet:
            wait_for_more(store)
            before = told_by_now(ledger, folder / "before")
            manage(store.url, "backup", str(copy))
            wait_for_more(store)
            assert ("stop every hub" if not store.is_sqlite else "Another hub") in failing(
                store, "restore", str(copy), "--replace"
            )
            assert hub.terminate() == 0
            gone = total(store) - readings_in(copy)
            assert "with --replace they are" in failing(store, "restore", str(copy))
            manage(store.url, "restore", str(copy), "--replace")
            assert total(store) == readings_in(copy)
            hub.start()
            wait_until_each_goes_on(store)
            assert fleet.stop()["dropped"] == 0
        assert "Traceback" not in hub.log
    report = reconciled(store, ledger)
    # What was stored after the copy was made is gone with the old database, and nothing else.
    assert differences(report) == ZEROS | {"lost": report["lost"]}, report["examples"]
    assert 0 < report["lost"] <= gone
    kept = report["attempted"] - report["lost"]
    assert kept - report["unsettled"] <= total(store) <= kept
    assert differences(reconciled(store, before)) == ZEROS


def test_a_backup_that_is_killed_leaves_nothing_that_looks_whole(
    store: Store, folder: Path
) -> None:
    copy = folder / "copy"
    name = "sqlite" if store.is_sqlite else "postgres"
    for moment in (
        f"1 before project.copies.{name}:kept",  # the database is copied, and nothing more
        "3 after project.copies.folder:sync",  # all is synced, and has not its name
    ):
        dies(store, moment, "backup", str(copy))
        with pytest.raises(CannotCopy, match=r"is no copy: it has no manifest\.json"):
            opened(copy)
    manage(store.url, "backup", str(copy))
    assert [path.name for path in folder.iterdir() if path.name.startswith("copy")] == ["copy"]
    assert opened(copy).readings == 0


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_killed_restore_to_sqlite_leaves_the_old_database_whole(
    sqlite_store: Store, folder: Path, moment: str
) -> None:
    store, empty = sqlite_store, str(folder / "empty")
    manage(store.url, "backup", empty)
    store.add_device("kept")
    dies(store, f"1 {moment} project.copies.sqlite:_remove", "restore", empty, "--replace")
    path = Path(store.url.removeprefix("sqlite:///"))
    assert path.exists() == (moment == "before")
    (old,) = (found for found in path.parent.glob("*.replaced-*") if found.name.endswith("Z"))
    assert Store(f"sqlite:///{old}").device_id("kept")
    manage(store.url, "restore", empty, "--replace")
    assert store.number("SELECT count(*) FROM devices_device") == 0
    assert not list(path.parent.glob("*.restoring"))


def test_a_killed_restore_to_postgresql_has_not_happened(
    postgres_store: Store, folder: Path
) -> None:
    store, empty = postgres_store, str(folder / "empty")
    manage(store.url, "backup", empty)
    store.add_device("kept")
    dies(store, "1 before project.copies.postgres:_after", "restore", empty, "--replace")
    assert store.device_id("kept")
    manage(store.url, "restore", empty, "--replace")
    assert store.number("SELECT count(*) FROM devices_device") == 0


def dies(store: Store, moment: str, *arguments: str) -> None:
    program = [sys.executable, "-m", "tests.integration.copies.dying", moment, *arguments]
    given = environment(store.url, {})
    ended = subprocess.run(program, cwd=ROOT, env=given, check=False, capture_output=True)
    assert ended.returncode == -9, ended.stderr


def test_client_programs_that_are_missing_are_named(postgres_store: Store, folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "backup", str(folder / "copy")],
        env=environment(postgres_store.url, {"PATH": str(folder)}),
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("CommandError: pg_dump was not found: install PostgreSQL's")
    assert not (folder / "copy").exists()


def test_no_password_is_on_a_command_line(postgres_store: Store, folder: Path) -> None:
    """A lock keeps `pg_dump` waiting while what runs is looked at."""
    program = [sys.executable, str(ROOT / "manage.py"), "backup", str(folder / "copy")]
    password = postgres_store.url.split(":")[2].split("@")[0]
    with psycopg.connect(postgres_store.url) as holding:
        holding.execute("LOCK TABLE devices_token IN ACCESS EXCLUSIVE MODE")
        backup = subprocess.Popen(program, env=environment(postgres_store.url, {}), cwd=ROOT)
        try:
            wait_until(lambda: "pg_dump" in command_lines(backup.pid), "it dumps")
            said = command_lines(backup.pid)
        finally:
            holding.rollback()
            status = backup.wait(60)
    assert password not in said
    assert "weir_test_" in said
    assert status == 0


def command_lines(pid: int) -> str:
    """Of a program and those it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = (Path(f"/proc/{listed}/cmdline").read_text() for listed in [pid, *children])
    return "\n".join(lines).replace("\0", " ")
