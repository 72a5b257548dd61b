"""`manage.py checkdatabase`: is the database whole, and does what is in it agree with itself?"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection

from ingest.soundness import checks_itself, database_findings, rollup_findings
from project.database import schema_problems, start_problems


class Command(BaseCommand):
    help = "Read the whole database and say what is wrong with it; exit 1 if anything is."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--quick", action="store_true", help="do not fold the readings anew")

    def handle(self, *, quick: bool, **options: Any) -> None:
        try:
            wrong = sum([self._told(what, found) for what, found in _parts(quick)])
        except DatabaseError as error:
            self.stdout.write(f"wrong: it cannot be read: {' '.join(str(error).split())}")
            wrong = 1
        if wrong:
            sys.exit(1)

    def _told(self, what: str, findings: Iterable[str]) -> int:
        """Say what is found, as it is found, and what was looked at; how much it was."""
        count = 0
        for finding in findings:
            self.stdout.write(f"wrong: {finding}")
            count += 1
        self.stdout.write(f"checked {what}: {count or 'nothing'} wrong")
        return count


def _parts(quick: bool) -> Iterator[tuple[str, Iterable[str]]]:
    problems = start_problems(connection)
    yield "the settings and the file", problems
    if problems and connection.vendor == "sqlite":
        return  # nothing else may open the file
    yield "the tables", schema_problems(connection)
    yield checks_itself(), database_findings()
    if not quick:
        yield "every rollup against its readings", rollup_findings()
