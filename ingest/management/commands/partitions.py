"""`manage.py partitions`: PostgreSQL's tables of readings, by weeks; made, filled and listed.

Hubs make this week's and the next ones themselves. What came before there was a table for it, as a
back-fill, is in the default partition, until this command gives its weeks tables of their own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from ingest.storage.postgres_partitions import TABLES, make_ahead
from ingest.storage.postgres_resettling import READINGS_LEAST, Resettling, Unsettled

_LIST = """
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid), greatest(c.reltuples, 0)::bigint,
       pg_size_pretty(pg_total_relation_size(c.oid))
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = ANY(%s::regclass[]) ORDER BY 1
"""


class Command(BaseCommand):
    help = "Give each week of readings that has none a table of its own, beside running hubs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--list", action="store_true", help="only list them, with readings as last counted"
        )
        parser.add_argument(
            "--least",
            type=int,
            default=READINGS_LEAST,
            metavar="READINGS",
            help="a week with fewer stays where it is (%(default)s)",
        )

    def handle(self, *, least: int, **options: Any) -> None:
        if connection.vendor != "postgresql":
            self.stdout.write("SQLite has no partitions: there is nothing to do.")
            return
        try:
            if options["list"]:
                self._list()
            else:
                self._settle(max(1, least))
        except psycopg.Error as error:
            raise CommandError(f"PostgreSQL says: {' '.join(str(error).split())}") from None
        except Unsettled as error:
            raise CommandError(str(error)) from None

    def _list(self) -> None:
        with _connect() as db:
            for name, bounds, readings, size in db.execute(_LIST, [list(TABLES)]):
                self.stdout.write(f"{name}: {bounds}, about {readings:,} readings, {size}")

    def _settle(self, least: int) -> None:
        with _connect() as db:
            make_ahead(db, datetime.now(UTC))
        for table in TABLES:
            resettling = Resettling(table, _connect, least)
            try:
                done = resettling.run()
            finally:
                resettling.close()
            said = f"{len(resettling.weeks)} weeks have tables of their own now"
            if not done:
                said = "no week in its default partition needs a table of its own"
            self.stdout.write(f"{table}: {said}.")


def _connect() -> psycopg.Connection:
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context"):  # Django's own, which bind on this side
        parameters.pop(name, None)
    return psycopg.connect(**parameters, autocommit=True)
