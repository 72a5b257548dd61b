"""`manage.py prune`: delete what retention keeps no longer, while hubs run."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.models import Retention, Series
from ingest.prune.estimate import estimate
from ingest.prune.proof import Refused
from ingest.prune.run import prune
from ingest.prune.turn import Busy, pause
from ingest.retention import Days, Rules
from ingest.stored import iso


class Command(BaseCommand):
    help = (
        "Delete readings and rollups that are kept no longer, in short steps beside running hubs;"
        " exit 1 if some had to be left."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would go, and change nothing"
        )

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        rules = rules_in_force()
        if not rules.others and not any(rules.hub):
            self.stdout.write(
                "Everything is kept for ever: no WEIR_KEEP_…_DAYS is set, and there is no rule."
            )
            return
        now_us = time.time_ns() // 1_000
        refused = self._tell(rules, now_us) if dry_run else self._prune(rules, now_us)
        self._name(refused)
        if refused:
            sys.exit(1)

    def _tell(self, rules: Rules, now_us: int) -> list[Refused]:
        found = estimate(rules, now_us)
        for name, rows in found.rows.items():
            size = found.size_bytes[name] / 1e6
            self.stdout.write(f"{name}: {rows:,} rows would go, about {size:,.1f} MB")
        return found.refused

    def _prune(self, rules: Rules, now_us: int) -> list[Refused]:
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            pruned = prune(rules, now_us, pause)
        except Busy as error:
            raise CommandError(f"Not all was pruned: {error}. The next run goes on.") from None
        except KeyboardInterrupt:
            raise CommandError("Stopped before its end. The next run goes on.") from None
        for name, rows in pruned.rows.items():
            self.stdout.write(f"{name}: {rows:,} rows deleted")
        for table in pruned.tables:
            self.stdout.write(f"{table}: dropped, with all of its week")
        return pruned.refused

    def _name(self, refused: Sequence[Refused]) -> None:
        named = {one.pk: str(one) for one in _series(refused)}
        for one in refused:
            self.stderr.write(
                f"left: {named.get(one.series_id, 'a series')}, from {iso(one.since_us)} on:"
                f" {one.rollups} rollups do not hold its readings. Run `manage.py checkdatabase`."
            )


def rules_in_force() -> Rules:
    """The hub's settings and the rules of the admin."""
    options = settings.OPTIONS
    hub = Days(options.keep_readings_days, options.keep_minutes_days, options.keep_hours_days)
    rows = Retention.objects.values_list(
        "device_id", "metric", "readings_days", "minutes_days", "hours_days"
    )
    return Rules.of(hub, (((device_id, metric), Days(*days)) for device_id, metric, *days in rows))


def _series(refused: Sequence[Refused]) -> list[Series]:
    ids = [one.series_id for one in refused]
    return list(Series.objects.select_related("device").filter(pk__in=ids))


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
