"""What the page on exports says of their end, done as it says."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dashboards.export.formats import Csv, Format, Ndjson
from devices.models import Kind
from tests import ROOT
from tests.integration.export.conftest import UTC_NOON, Export, make_series, put

PAGE = (ROOT / "docs" / "export.md").read_text()


@pytest.fixture(params=["csv", "ndjson"])
def file(request: pytest.FixtureRequest, export: Export, tmp_path: Path) -> Path:
    """A whole export in a file."""
    series = make_series("roof", "state", Kind.TEXT)
    put(series, [(UTC_NOON, "one\r\n#end"), (UTC_NOON.replace(second=1), "=two")])
    path = tmp_path / f"readings.{request.param}"
    path.write_bytes(export(suffix=request.param).body)
    return path


def is_whole(path: Path) -> bool:
    """By the program on the page."""
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    checker = path.with_name("whole.py")
    checker.write_text(program)
    ended = subprocess.run(
        [sys.executable, str(checker), str(path)], check=False, capture_output=True, text=True
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode == 0 and ended.stdout == "whole\n"


def test_a_whole_export_is_told_by_the_program_on_the_page(file: Path) -> None:
    assert is_whole(file)


def test_an_export_that_was_cut_anywhere_is_not_whole(file: Path) -> None:
    body = file.read_bytes()
    for length in {0, 1, len(body) // 2, body.rstrip().rindex(b"\n") + 1, len(body) - 3}:
        file.write_bytes(body[:length])
        assert not is_whole(file)


def test_an_export_that_was_changed_is_not_whole(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"two", b"too"))
    assert not is_whole(file)


def test_a_shell_can_sum_it_as_the_page_says(file: Path) -> None:
    (script,) = re.findall(r"```sh\n(sed .*?)```", PAGE, re.DOTALL)
    script = script.replace("readings.csv", file.name)
    said = subprocess.run(
        ["sh", "-c", script], cwd=file.parent, check=True, capture_output=True, text=True
    ).stdout
    body = file.read_bytes()
    before = body[: body.rstrip().rindex(b"\n") + 1]
    assert said.count(hashlib.sha256(before).hexdigest()) == 2


@pytest.mark.parametrize("form", [Csv(), Ndjson()])
def test_the_page_shows_the_end_as_it_is(form: Format) -> None:
    shown = form.end(4 if form.suffix == "csv" else 2, "(64 hexadecimal digits)")
    assert shown.strip() in PAGE
    assert form.head.strip() in PAGE
