"""What `manage.py backup` and `restore` refuse, in a sentence, and leave as it was."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from devices.models import Device
from tests.integration.engine import default_database, engine, engine_url  # noqa: F401


@pytest.fixture
def copy(engine: str, tmp_path: Path) -> Path:  # noqa: F811
    Device.objects.create(uid="roof")
    path = tmp_path / "copy"
    said = StringIO()
    call_command("backup", str(path), stdout=said)
    assert f"{path}: 0 readings of 1 devices, as they were at 20" in said.getvalue()
    return path


def refused(*arguments: Any) -> str:
    with pytest.raises(CommandError) as error:
        call_command(*map(str, arguments))
    assert Device.objects.get().uid == "roof"
    return str(error.value)


def test_a_folder_that_is_there_is_not_overwritten(copy: Path) -> None:
    assert refused("backup", copy) == f"{copy} is there already: name a folder that is not."


def test_a_database_that_holds_devices_is_not_replaced_unasked(copy: Path) -> None:
    told = "The database holds 0 readings of 1 devices, which would be replaced"
    assert refused("restore", copy).startswith(told)
    Device.objects.create(uid="later")
    call_command("restore", str(copy), "--replace", stdout=StringIO())
    assert [device.uid for device in Device.objects.all()] == ["roof"]


def test_a_newer_copy_is_left_to_the_weir_that_made_it(copy: Path) -> None:
    manifest = copy / "manifest.json"
    made = json.loads(manifest.read_text())
    newer = {"weir": "9.0", "migrations": [*made["migrations"], "ingest.0999_more"]}
    manifest.write_text(json.dumps(made | newer))
    assert "was made by a newer Weir (9.0)" in refused("restore", copy, "--replace")


def test_a_copy_of_the_other_engine_is_refused(copy: Path) -> None:
    manifest = copy / "manifest.json"
    made = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(made | {"engine": "other"}))
    assert "is of other, and DATABASE_URL names" in refused("restore", copy, "--replace")


def test_a_damaged_copy_is_refused(copy: Path) -> None:
    (file,) = (path for path in copy.iterdir() if path.name != "manifest.json")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert f"{file} is damaged: it has {len(content)} bytes" in refused("restore", copy, "--check")
    assert "is damaged" in refused("restore", copy, "--replace")
    file.unlink()
    assert "cannot be read: No such file" in refused("restore", copy, "--replace")
    (copy / "manifest.json").write_text("{")
    assert "has a manifest.json that is none: it is damaged" in refused("restore", copy)
    assert "is no copy: it has no manifest.json" in refused("restore", copy.parent)


def test_a_whole_copy_is_said_to_be_whole_and_nothing_is_restored(copy: Path) -> None:
    said = StringIO()
    call_command("restore", str(copy), "--check", stdout=said)
    assert said.getvalue().startswith(f"{copy} is whole: 0 readings of 1 devices")


@pytest.mark.parametrize("engine_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("engine")
def test_there_is_nothing_to_back_up_where_there_is_no_file(tmp_path: Path) -> None:
    with default_database(f"sqlite:///{tmp_path / 'none'}"), pytest.raises(CommandError) as error:
        call_command("backup", str(tmp_path / "copy"))
    assert str(error.value).endswith("none is not there: there is nothing to back up.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine_url", ["sqlite"], indirect=True)
def test_a_copy_whose_database_is_damaged_is_not_made(copy: Path) -> None:
    path = Path(connection.settings_dict["NAME"])
    connection.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * 4096 * 4 + whole[4096 * 5 :])
    try:
        with pytest.raises(CommandError, match=r"malformed|not whole"):
            call_command("backup", str(copy.with_name("more")))
    finally:
        path.write_bytes(whole)
    assert sorted(found.name for found in copy.parent.iterdir()) == ["copy"]
