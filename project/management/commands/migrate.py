"""`manage.py migrate`: Django's own, made safe beside hubs that go on, and beside another migrate.

On PostgreSQL a change of a table waits for whoever uses it, and all who come after wait behind it:
beside a backup that would be every hub, until the backup is done. So it waits for a moment only,
lets the others pass, and tries again.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as Migrate
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import errors

LOCK_TIMEOUT_S: Final = 2
"""Less than the 5 s that a hub's batch waits for a lock before it is in trouble."""
PAUSE_S: Final = 2.0
"""What waited behind the change is written in it."""
TRIES: Final = 30
"""Two minutes: an export ends in them, a backup of a small hub too."""
_LOCK: Final = 0x57454954


class Command(Migrate):
    def handle(self, *arguments: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        with _alone(connection):
            for _ in range(TRIES):
                if self._done(*arguments, **options):
                    return
                self.stderr.write("A table is in use: waiting, and letting hubs pass.")
                time.sleep(PAUSE_S)
        raise CommandError(_GIVEN_UP)

    def _done(self, *arguments: Any, **options: Any) -> bool:
        """False where a table could not be had in time; what was migrated before it, is."""
        try:
            super().handle(*arguments, **options)
        except OperationalError as error:
            if not isinstance(error.__cause__, errors.LockNotAvailable):
                raise
            return False
        return True


_GIVEN_UP: Final = (
    "A table that has to be changed is in use by something that lasts, a backup or an export: what"
    " was not migrated yet is as it was; let that end, and run `manage.py migrate` again."
)


@contextmanager
def _alone(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Wait for another migrate to end, and keep the next waiting; until the block, or we, end."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'")
        try:
            yield
        finally:
            connection.close()
        return
    path = Path(connection.settings_dict["NAME"]).absolute()
    if connection.vendor != "sqlite" or not path.parent.is_dir() or "memory" in str(path):
        yield
        return
    with path.with_name(f"{path.name}.migrate.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
