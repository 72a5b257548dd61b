"""`manage.py restore PATH`: puts a copy of the database in its place, with all hubs stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from project.copies import CannotCopy, folder, postgres, sqlite
from project.copies.manifest import Manifest, is_older, why_not
from project.database import DatabaseClaimed, claim_database


class Command(BaseCommand):
    help = "Put a copy that `backup` made in the place of the database. Stop every hub before."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="the folder that `backup` made")
        parser.add_argument("--replace", action="store_true", help="also where readings are stored")
        parser.add_argument("--check", action="store_true", help="read the copy, restore nothing")

    def handle(self, *, path: Path, replace: bool, check: bool, **options: Any) -> None:
        known = _known_migrations()
        try:
            manifest = folder.manifest_of(path)
            if told := why_not(manifest, connection.vendor, known):
                raise CannotCopy(f"{path} {told}.")
            folder.opened(path)
            if not check:
                self._restore(manifest, path, replace)
        except CannotCopy as error:
            raise CommandError(str(error)) from error
        done = "is whole" if check else "is restored"
        self.stdout.write(
            f"{path} {done}: {manifest.readings:,} readings of"
            f" {manifest.tables['devices_device']:,} devices, as they were at {manifest.moment}."
        )
        if is_older(manifest, known) and not check:
            self.stdout.write("It is of an older Weir: run `manage.py migrate` before a hub.")

    def _restore(self, manifest: Manifest, path: Path, replace: bool) -> None:
        if connection.vendor == "postgresql":
            if hubs := postgres.hubs_connected():
                raise CannotCopy(f"{hubs} hubs write to the database: stop every hub first.")
            _check_empty(postgres.contents(), replace)
            postgres.restore(manifest, path)
            return
        try:
            claim = claim_database()
        except DatabaseClaimed as error:
            raise CannotCopy(f"{error} Stop it first.") from None
        assert claim is not None
        connection.close()  # one that is open would go on with the old file
        with claim:
            target = Path(connection.settings_dict["NAME"]).resolve()
            if not replace:
                _check_empty(sqlite.contents(target), replace)
            if aside := sqlite.restore(manifest, path, target):
                self.stdout.write(f"What was there is {aside} now.")


def _check_empty(contents: Mapping[str, int], replace: bool) -> None:
    readings = sum(
        rows
        for name, rows in contents.items()
        if name.startswith(("ingest_reading", "ingest_textreading", "ingest_recent", "ingest_seal"))
    )
    devices = contents.get("devices_device", 0)
    if (readings or devices) and not replace:
        raise CannotCopy(
            f"The database holds {readings:,} readings of {devices:,} devices, which would be"
            " replaced: with --replace they are."
        )


def _known_migrations() -> set[str]:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    assert loader.disk_migrations is not None
    return {f"{app}.{name}" for app, name in loader.disk_migrations}
