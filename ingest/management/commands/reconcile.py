"""`manage.py reconcile LEDGER …`: is everything stored that devices were told is stored?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.ledger import BrokenLedger, Fate
from ingest.reconciliation import COUNTS, Report, reconcile

_MEANING = {
    "lost": "acked, not refused by name, and not stored",
    "duplicated": "acked as stored more often than stored",
    "phantom": "stored, and never attempted or refused",
    "wrong": "stored with another value than attempted",
    "miscounted": "in an ack's counts and not in its frames, or the reverse",
    "rollup": "minutes and hours that are not what their readings make",
}
_KEYS = {"rollup": "rollup_mismatches"}


class Command(BaseCommand):
    help = "Compare what the simulators wrote down with the database; exit 1 if they differ."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ledgers", nargs="+", type=Path, metavar="LEDGER")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, ledgers: list[Path], **options: Any) -> None:
        try:
            report = reconcile(ledgers)
        except BrokenLedger as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}.") from None
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(report)))
        else:
            self._print(report)
        if any(report.counts.values()):
            sys.exit(1)

    def _print(self, report: Report) -> None:
        fates = report.ledger.fates
        kept, unknown = fates[Fate.KEPT] + fates[Fate.UNNAMED], fates[Fate.UNKNOWN]
        refused = fates[Fate.CONFLICT] + fates[Fate.REFUSED]
        self.stdout.write(
            f"{fates.total()} readings attempted in {report.ledger.frames} frames:"
            f" {kept} acked, {refused} refused by name, {unknown} never settled."
        )
        if report.unchecked:
            self.stdout.write(f"{report.unchecked} were sent without a time and are not checked.")
        if gone := report.gone.total():
            self.stdout.write(f"{gone} are older than their series is kept, and not looked for.")
        for what in COUNTS:
            self.stdout.write(f"{what:10} {report.counts[what]:10}   {_MEANING[what]}")
        for what in COUNTS:
            for example in report.examples[what]:
                self.stdout.write(f"{what}: {example}")


def _as_json(report: Report) -> dict[str, object]:
    fates = report.ledger.fates
    counts = {
        ("rollup_mismatches" if what == "rollup" else what): report.counts[what] for what in COUNTS
    }
    return {
        **counts,
        "attempted": fates.total(),
        "frames": report.ledger.frames,
        "acked": fates[Fate.KEPT] + fates[Fate.UNNAMED],
        "refused": fates[Fate.CONFLICT] + fates[Fate.REFUSED],
        "unsettled": fates[Fate.UNKNOWN],
        "unchecked": report.unchecked,
        "gone": report.gone.total(),
        "examples": {what: examples for what, examples in report.examples.items() if examples},
    }
