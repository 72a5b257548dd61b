"""`manage.py adddevice UID`: one device and its first token."""

from __future__ import annotations

import json
import math
from argparse import ArgumentTypeError
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from devices.fleet import TooManyDevices, look_for_room
from devices.models import Device
from devices.tokens import issue


class Command(BaseCommand):
    help = "Add a device and print its token, which is shown only now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("uid", help="what the device is known by; may be a URN")
        parser.add_argument("--name", default="", help="a name for people")
        parser.add_argument("--tags", default="", help="tags, separated by commas")
        parser.add_argument(
            "--expected-interval",
            type=_finite,
            metavar="SECONDS",
            help="how often it sends; it is shown as online while heard from within three of them",
        )
        parser.add_argument("--json", action="store_true", help='print {"uid": …, "token": …}')

    def handle(
        self, *, uid: str, name: str, tags: str, expected_interval: float | None, **options: Any
    ) -> None:
        device = Device(
            uid=uid,
            name=name,
            tags=[tag.strip() for tag in tags.split(",") if tag.strip()],
            expected_interval_s=expected_interval,
        )
        text = _add(device)
        if options["json"]:
            self.stdout.write(json.dumps({"uid": uid, "token": text}))
            return
        # The token alone on stdout, so that a shell can take it: TOKEN=$(manage.py adddevice …)
        self.stderr.write(f"Device {uid} is added. Its token, shown only now:")
        self.stdout.write(text)


def _finite(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ArgumentTypeError(f"it is a number of seconds, not {text!r}")
    return number


def _add(device: Device) -> str:
    """Store `device` with a token; the token's text. Raises CommandError with one sentence."""
    if Device.objects.filter(uid=device.uid).exists():
        raise CommandError(
            f"A device {device.uid} exists already; issue it another token in the admin."
        )
    try:
        device.full_clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise CommandError(f"This {field} cannot be used: {messages[0]}") from None
    with transaction.atomic():
        try:
            look_for_room(1)
        except TooManyDevices as error:
            raise CommandError(str(error)) from None
        device.save()
        _, text = issue(device)
    return text
