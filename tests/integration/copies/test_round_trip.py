"""A copy restored is the database it was made of, on both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from devices.models import Device
from ingest.models import LineState, Stream
from project.copies import CannotCopy, folder, postgres, sqlite
from project.copies.manifest import Manifest
from tests.integration.engine import default_database, engine, engine_url  # noqa: F401
from tests.integration.storage.aggregation import assert_one_mind
from tests.integration.storage.stage import Hub, Reliable, Stage, counts, run, stored, stored_texts


class Copied:
    """A database in which a device has a stream, and a copy of it in a folder."""

    def __init__(self, stage: Stage, path: Path) -> None:
        self.hub: Hub = stage.hub()
        self.roof: Device = stage.device()
        self.connection: Reliable = self.hub.connect(self.roof)
        self.hub.write(
            self.connection.send(
                run("t", [(n, float(n)) for n in range(0, 7_200, 60)]), run("s", [(0, "on\n\\.")])
            )
        )
        self.hub.seal_all(3_600)
        self.hub.write(self.connection.send(run("t", [(30, 1.5), (7_201, 2.0)])))
        self.path = path
        self.before = assert_one_mind()
        self.manifest = copy_to(path)


def copy_to(path: Path) -> Manifest:
    with folder.making(path) as partial:
        if connection.vendor == "postgresql":
            made = postgres.back_up(partial, "0.1.0")
        else:
            made = sqlite.back_up(Path(connection.settings_dict["NAME"]), partial, "0.1.0")
        folder.write(partial, made)
    return folder.opened(path)


def restore(path: Path, manifest: Manifest) -> None:
    """As the command does once it has found that it may."""
    if connection.vendor == "postgresql":
        postgres.restore(manifest, path)
    else:
        connection.close()
        sqlite.restore(manifest, path, Path(connection.settings_dict["NAME"]))


@pytest.fixture
def stage(engine: str) -> Any:  # noqa: F811
    stage = Stage(engine)
    yield stage
    stage.close()


@pytest.fixture
def copied(stage: Stage, tmp_path: Path) -> Copied:
    return Copied(stage, tmp_path / "copy")


def test_what_is_restored_is_what_was_copied(copied: Copied) -> None:
    streams = list(Stream.objects.values("id", "name", "committed", "stored"))
    copied.hub.write(copied.connection.send(run("t", [(90, 9.0)]), run("new", [(1, 1.0)])))
    Device.objects.create(uid="later")
    copied.hub.engine.close()
    restore(copied.path, copied.manifest)
    assert assert_one_mind(copied.before)
    assert list(Stream.objects.values("id", "name", "committed", "stored")) == streams
    assert stored_texts(copied.roof, "s") == [(0.0, "on\n\\.")]
    assert [device.uid for device in Device.objects.all()] == ["roof"]
    call_command("migrate", verbosity=0)
    assert Device.objects.create(uid="next").pk > copied.roof.pk


def test_the_stream_goes_on_where_the_copy_was_made(copied: Copied) -> None:
    copied.hub.write(copied.connection.send(run("t", [(90, 9.0)])))
    copied.hub.engine.close()
    restore(copied.path, copied.manifest)
    copied.hub.crash()
    again = copied.hub.connect(copied.roof, first=4)  # it no longer holds its third frame
    assert again.seq == 3
    settled = copied.hub.write(again.send(run("t", [(90, 8.0)]))).settlements[0]
    assert counts(settled) == (1, 0, 0)
    stream = Stream.objects.get()
    assert (stream.committed, stream.lost) == (4, 1)
    assert (90.0, 8.0) in stored(copied.roof, "t")
    assert_one_mind()


@pytest.mark.parametrize("engine_url", ["postgresql"], indirect=True)
def test_a_hub_that_lived_through_a_restore_is_fenced_and_knows_no_series(copied: Copied) -> None:
    """In SQLite it finds its file replaced, and writes nothing more: `test_trouble`."""
    copied.hub.write(copied.connection.send(run("other", [(1, 1.0)])))
    catalogue = LineState.objects.get().catalogue
    restore(copied.path, copied.manifest)
    copied.connection.seq = 2
    settled = copied.hub.write(copied.connection.send(run("t", [(91, 9.0)]))).settlements[0]
    assert settled.fenced
    copied.hub.store(copied.roof, run("other", [(2, 2.0)]))
    assert stored(copied.roof, "other") == [(2.0, 2.0)]
    assert LineState.objects.get().catalogue > catalogue
    assert_one_mind()


def test_a_copy_of_a_copy_has_the_same_sums(copied: Copied, tmp_path: Path) -> None:
    copied.hub.engine.close()
    restore(copied.path, copied.manifest)
    again = copy_to(tmp_path / "again")
    assert (again.sums, again.tables) == (copied.manifest.sums, copied.manifest.tables)
    assert again.readings == len(copied.before) + 1


def test_what_is_not_as_the_manifest_says_is_not_restored(copied: Copied) -> None:
    key = ("ingest_rollup", 0)
    wrong = copied.manifest.sums | {key: copied.manifest.sums[key]._replace(checksum="0")}
    copied.manifest.sums.update(wrong)
    copied.hub.write(copied.connection.send(run("t", [(90, 9.0)])))
    copied.hub.engine.close()
    with pytest.raises(CannotCopy, match="not what its manifest says: ingest_rollup"):
        restore(copied.path, copied.manifest)
    assert (90.0, 9.0) in stored(copied.roof, "t")
    assert_one_mind()
