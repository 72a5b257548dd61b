"""`make bench-scale`, in short: what it makes is sound, and what it measures was stored."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from benchmarks import scale
from benchmarks.scale_fill import DAY_READINGS, days, days_of, rollups
from benchmarks.scale_fill import SERIES as SERIES_OF_FLEET
from ingest.models import Reading
from ingest.soundness import rollup_findings
from tests.integration.engine import default_database

END_US = 1_795_326_000_000_000 // 3_600_000_000 * 3_600_000_000
SHORT = ("--rounds", "1", "--round-readings", "40000", "--small", "30000")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where databases are kept: a folder that PostgreSQL's own user may reach too."""
    folder = Path(tempfile.mkdtemp(prefix="weir-test-"))
    folder.chmod(0o755)
    monkeypatch.setattr(scale, "BENCH", folder)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_readings_are_made_by_the_hundred_thousand_and_more_go_in_on_top(
    engine: str,
    place: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if engine == "postgresql":
        request.getfixturevalue("postgres_programs")
    figures = place / "figures.json"
    asked = ["--readings", "150000", "--engine", engine, "--json", str(figures), *SHORT]
    assert scale.main(asked) == 0
    said = json.loads(figures.read_text())["engines"][engine]
    made = said["made"]["large"]
    assert made["readings"] == pytest.approx(150_000, rel=0.01)
    assert made["bytes"]["readings"] > 16 * made["readings"]
    for name in ("small", "large"):
        [kinds] = said["rounds"][name]
        assert kinds["on time"]["readings"] >= 40_000
        assert kinds["late"]["readings"] == kinds["again"]["readings"] >= 10_000
    table = capsys.readouterr().out
    assert "bytes a reading" in table
    assert "ThingsBoard publishes 163 on PostgreSQL" in table


def test_what_is_made_ends_where_it_should_and_is_as_much_as_asked_for() -> None:
    made = list(days(3 * DAY_READINGS * SERIES_OF_FLEET - 5 * SERIES_OF_FLEET, END_US))
    assert len(made) == days_of(3 * DAY_READINGS * SERIES_OF_FLEET) == 3
    assert [len(day) for day in made] == [DAY_READINGS, DAY_READINGS, DAY_READINGS - 5][::-1]
    assert made[-1][-1][0] == END_US - 10_000_000


def test_its_rollups_are_a_minutes_and_an_hours() -> None:
    [day] = days(13 * SERIES_OF_FLEET, END_US)
    made = list(rollups(day))
    assert [(step_s, bucket.count) for step_s, bucket in made] == [
        *((60, 1), (60, 6), (60, 6)),
        (3600, 13),
    ]
    assert made[-1][1].start_us == END_US - 3_600_000_000


def test_the_table_marks_readings_that_come_in_slower() -> None:
    def figures(rate: float) -> dict[str, dict[str, float]]:
        return {"on time": {"readings": rate, "wall_s": 1.0, "cpu_s": 1.0}}

    made = {"readings": 100, "days": 1, "bytes": {"readings": 8_000, "rollups": 2_000}}
    found: dict[str, Any] = {
        "sqlite": {
            "made": {"small": made, "large": made},
            "rounds": {"small": [figures(100)] * 3, "large": [figures(79)] * 3},
        }
    }
    assert "0.79 !" in scale.table(found)
    found["sqlite"]["rounds"]["large"] = [figures(81)] * 3
    assert "!" not in scale.table(found)


def test_every_rollup_that_is_made_is_what_its_readings_make(
    sqlite_url: str, django_db_blocker: DjangoDbBlocker
) -> None:
    readings = DAY_READINGS * SERIES_OF_FLEET // 20
    scale.run_program("scale_fill", sqlite_url, readings, END_US)
    with django_db_blocker.unblock(), default_database(sqlite_url):
        assert Reading.objects.count() == readings
        assert list(rollup_findings()) == []
