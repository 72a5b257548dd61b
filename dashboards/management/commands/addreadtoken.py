"""`manage.py addreadtoken LABEL`: a token with which a program reads from the hub."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from dashboards import readtokens
from dashboards.models import ReadToken
from devices.models import Device

_IN: Final = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Command(BaseCommand):
    help = "Add a read token and print it; it is shown only now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("label", help="what it is for")
        parser.add_argument(
            "--scope",
            action="append",
            default=[],
            metavar="device:UID|tag:TAG",
            help="what it may read, given as often as needed; left out: everything",
        )
        parser.add_argument(
            "--expires",
            type=_moment,
            metavar="WHEN",
            help="after how long (30d; s, m, h, d, w), or when (ISO 8601 with an offset)",
        )

    def handle(
        self, *, label: str, scope: list[str], expires: datetime | None, **options: Any
    ) -> None:
        token = ReadToken(label=label, scope=scope, expires_at=expires)
        text = readtokens.draw(token)
        try:
            token.full_clean()
        except ValidationError as error:
            field, messages = next(iter(error.message_dict.items()))
            raise CommandError(f"This {field} cannot be used: {messages[0]}") from None
        token.save()
        for uid in _missing(scope):
            self.stderr.write(f"There is no device {uid} yet.")
        # The token alone on stdout, so that a shell can take it: TOKEN=$(manage.py addreadtoken …)
        self.stderr.write(f"A read token for {label} is added. It is shown only now:")
        self.stdout.write(text)


def _moment(text: str) -> datetime:
    try:
        if after := _IN.fullmatch(text):
            moment = timezone.now() + timedelta(**{_UNITS[after[2]]: int(after[1])})
        else:
            moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        moment = datetime.min  # noqa: DTZ901
    if moment.tzinfo is None or moment <= timezone.now():
        raise ArgumentTypeError(
            f"it is a time to come: 30d, or 2030-01-01T00:00:00+00:00, not {text!r}"
        )
    return moment


def _missing(scope: list[str]) -> list[str]:
    named = [part.removeprefix("device:") for part in scope if part.startswith("device:")]
    known = set(Device.objects.filter(uid__in=named).values_list("uid", flat=True))
    return [uid for uid in named if uid not in known]
