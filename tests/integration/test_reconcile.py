"""`manage.py reconcile` finds each kind of difference, on both engines."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from devices.models import Device, Kind, Series
from ingest.erasure import erase_span
from ingest.models import Rollup
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.stored import set_watermark, store

START = datetime(2026, 11, 23, 6, 59, 30, tzinfo=UTC)
TIMES = [START + timedelta(seconds=n) for n in range(60)]
WATERMARK = START.replace(hour=7, minute=0, second=10)

pytestmark = pytest.mark.usefixtures("engine")


def ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def ledger(path: Path, *, uid: str = "roof", metric: str = "t", stored: int = 60) -> Path:
    """One stream that sent a reading a frame and was told that all was stored."""
    whose = {"device": uid, "stream": f"{uid}-{metric}"}
    lines: list[dict[str, Any]] = [
        {
            "frame": {
                **whose,
                "seq": seq,
                "sent_ms": ms(time),
                "body": json.dumps(
                    {"seq": seq, "readings": [{"ts": ms(time), "values": {metric: seq / 2}}]}
                ),
            }
        }
        for seq, time in enumerate(TIMES, start=1)
    ]
    counts = {"stored": stored, "duplicate": 60 - stored, "rejected": 0, "errors": []}
    lines.append({"settled": {**whose, "through": 60, **counts}})
    with path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return path


def stored_series(uid: str = "roof", metric: str = "t") -> Series:
    set_watermark(WATERMARK)
    device, _ = Device.objects.get_or_create(uid=uid)
    series = Series.objects.create(device=device, metric=metric, kind=Kind.NUMBER)
    store(series, [(time, seq / 2) for seq, time in enumerate(TIMES, start=1)])
    return series


def reconciled(*paths: Path, well: bool = False) -> dict[str, Any]:
    """What the command says; it must exit with 1 unless all is `well`."""
    out = StringIO()
    if well:
        call_command("reconcile", *map(str, paths), "--json", stdout=out)
    else:
        with pytest.raises(SystemExit) as ended:
            call_command("reconcile", *map(str, paths), "--json", stdout=out)
        assert ended.value.code == 1
    said: dict[str, Any] = json.loads(out.getvalue())
    return said


def differing(said: dict[str, Any]) -> dict[str, int]:
    counts = ["lost", "duplicated", "phantom", "wrong", "miscounted", "rollup_mismatches"]
    return {name: said[name] for name in counts if said[name]}


def test_all_zeros_where_all_is_stored(tmp_path: Path) -> None:
    stored_series()
    stored_series("cellar", "h")
    path = ledger(tmp_path / "ledger")
    ledger(path, uid="cellar", metric="h")
    said = reconciled(path, well=True)
    assert differing(said) == {}
    assert (said["attempted"], said["acked"], said["frames"]) == (120, 120, 120)


def test_several_ledgers_are_one(tmp_path: Path) -> None:
    stored_series()
    first, again = ledger(tmp_path / "first"), ledger(tmp_path / "again", stored=0)
    again.write_text(again.read_text().replace("roof-t", "roof-again"))
    reconciled(first, again, well=True)


def test_an_erased_span_is_lost(tmp_path: Path) -> None:
    erase_span(stored_series(), TIMES[10], TIMES[20])
    said = reconciled(ledger(tmp_path / "ledger"))
    assert differing(said) == {"lost": 10}
    assert said["examples"]["lost"][0] == (
        "roof t 2026-11-23T06:59:40.000000Z: 5.5 was acked, nothing is stored"
    )


def test_a_device_that_is_gone_has_lost_everything(tmp_path: Path) -> None:
    assert differing(reconciled(ledger(tmp_path / "ledger"))) == {"lost": 60}


def test_a_reading_stored_in_another_series_is_a_phantom(tmp_path: Path) -> None:
    stored_series()
    stored_series(metric="never_sent")
    stored_series("cellar")
    assert differing(reconciled(ledger(tmp_path / "ledger"))) == {"phantom": 60}


def test_another_value_is_wrong(tmp_path: Path) -> None:
    series = stored_series()
    erase_span(series, TIMES[40], TIMES[41])
    store(series, [(TIMES[40], -1.0)])
    said = reconciled(ledger(tmp_path / "ledger"))
    assert differing(said) == {"wrong": 1}


def test_what_was_acked_as_stored_twice_is_duplicated(tmp_path: Path) -> None:
    stored_series()
    first, again = ledger(tmp_path / "first"), ledger(tmp_path / "again")
    again.write_text(again.read_text().replace("roof-t", "roof-again"))
    assert differing(reconciled(first, again)) == {"duplicated": 60}


def test_a_rollup_that_counts_twice_and_one_that_is_missing_are_found(tmp_path: Path) -> None:
    series = stored_series()
    minutes = Rollup.objects.filter(series=series, step_s=60).order_by("start")
    minutes.filter(start=minutes[0].start).update(count=minutes[0].count * 2)
    Rollup.objects.filter(
        series=series, step_s=3600, start=START.replace(hour=7, minute=0, second=0)
    ).delete()
    said = reconciled(ledger(tmp_path / "ledger"))
    assert differing(said) == {"rollup_mismatches": 2}
    assert said["examples"]["rollup"] == [
        "roof t 2026-11-23T06:59:00.000000Z: its count is 60, the readings make 30",
        "roof t 2026-11-23T07:00:00.000000Z: 10 readings have no rollup",
    ]


def test_it_prints_a_line_for_each_count(tmp_path: Path) -> None:
    stored_series()
    out = StringIO()
    call_command("reconcile", str(ledger(tmp_path / "ledger")), stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("60 readings attempted in 60 frames: 60 acked, 0 refused by name")
    assert [line.split()[:2] for line in lines[1:3]] == [["lost", "0"], ["duplicated", "0"]]


def test_a_ledger_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nowhere cannot be read: No such file"):
        call_command("reconcile", str(tmp_path / "nowhere"))
    broken = tmp_path / "broken"
    broken.write_text("{}\n")
    with pytest.raises(CommandError, match=r"broken, line 1: not a line of a ledger"):
        call_command("reconcile", str(broken))
