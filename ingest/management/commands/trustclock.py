"""`manage.py trustclock`: this machine's clock is right, and no commit was made later than now.

A hub takes nothing while its clock is behind the newest commit. Where it is the commit that was
made with a wrong clock, somebody who has looked at a clock has to say so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from devices.models import Device, Token
from ingest.models import Stream


class Command(BaseCommand):
    help = "Say that this machine's clock is right: hubs that wait for it go on within seconds."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--no-input", action="store_false", dest="interactive", help="do not ask"
        )

    def handle(self, *, interactive: bool, **options: Any) -> None:
        now = timezone.now()
        if interactive:
            answer = input(f"This machine's clock says {now:%Y-%m-%d %H:%M:%S} UTC. Right? [y/N] ")
            if answer.strip().lower() not in {"y", "yes"}:
                raise CommandError("Nothing was changed. Set the clock, and hubs go on by it.")
        changed = set_back(now)
        self.stdout.write(
            f"{changed} times that were later than now are now. Readings stay as they are."
            if changed
            else "Nothing was stored later than now: no hub waits for its clock."
        )


def set_back(now: datetime) -> int:
    """No commit is later than `now` from here on; how many times were changed."""
    with transaction.atomic():
        return (
            Stream.objects.filter(used_at__gt=now).update(used_at=now)
            + Device.objects.filter(last_seen_at__gt=now).update(last_seen_at=now)
            + Token.objects.filter(last_used_at__gt=now).update(last_used_at=now)
        )
