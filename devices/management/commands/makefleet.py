"""`manage.py makefleet N --tokens FILE`: many devices at once, for simulators and benchmarks."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.fleet import TooManyDevices, append_tokens, give_tokens, open_tokens
from devices.models import Device

# A uid's number is padded to this many digits, so that uids sort by number and a second, larger
# fleet goes on with the uids of the first.
_DIGITS = 5


class Command(BaseCommand):
    help = "Create N devices with a token each; one that exists already gets a fresh token."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", type=_positive, metavar="N", help="how many devices")
        parser.add_argument(
            "--tokens",
            type=Path,
            required=True,
            metavar="FILE",
            help='where {"uid": …, "token": …} is appended, a line each; only you can read it',
        )
        parser.add_argument("--prefix", default="sim-", help="what each uid begins with (sim-)")

    def handle(self, *, number: int, tokens: Path, prefix: str, **options: Any) -> None:
        devices = [Device(uid=f"{prefix}{n:0{_DIGITS}}") for n in range(1, number + 1)]
        try:
            # They differ in their digits only, and the last is the longest.
            devices[-1].clean_fields()
        except ValidationError as error:
            raise CommandError(f"No uid can begin with {prefix!r}: {error.messages[0]}") from None
        try:
            with open_tokens(tokens) as file:
                added, texts = give_tokens(devices)
                append_tokens(file, texts)
        except TooManyDevices as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{tokens} cannot be written: {error.strerror}.") from None
        self.stdout.write(
            f"{len(added)} devices added, {number - len(added)} existed;"
            f" their {number} tokens are in {tokens}."
        )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"N is a whole number from 1, not {text!r}")
    return int(text)
