"""`manage.py backup PATH`: a copy of the database at one moment, beside running hubs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from project.copies import CannotCopy, folder, postgres, sqlite
from project.copies.manifest import Manifest
from project.database import sqlite_file_problem

NICENESS = 10  # what devices wait for goes first


class Command(BaseCommand):
    help = "Copy the database, as it is at one moment, into a new folder; hubs go on meanwhile."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="the folder to make")

    def run_from_argv(self, argv: list[str]) -> None:
        os.nice(NICENESS)  # here the program is ours alone
        super().run_from_argv(argv)

    def handle(self, *, path: Path, **options: Any) -> None:
        try:
            with folder.making(path.absolute()) as partial:
                made = _copied(partial)
                folder.write(partial, made)
        except CannotCopy as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{path}: {made.readings:,} readings of {made.tables['devices_device']:,} devices, as"
            f" they were at {made.moment}; {made.size_bytes:,} bytes, read again and counted."
        )


def _copied(partial: Path) -> Manifest:
    if connection.vendor == "postgresql":
        return postgres.back_up(partial, settings.VERSION)
    path = Path(connection.settings_dict["NAME"]).resolve()
    if not path.exists():
        raise CannotCopy(f"{path} is not there: there is nothing to back up.")
    if told := sqlite_file_problem(connection):
        raise CannotCopy(told)
    return sqlite.back_up(path, partial, settings.VERSION)
