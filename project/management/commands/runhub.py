"""`manage.py runhub`: one hub process on Daphne, until SIGTERM or Ctrl-C."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from project.checks import exposure_problems
from project.database import DatabaseUnusable, take_database
from project.options import unknown_variables
from project.server.runner import serve


class Command(BaseCommand):
    help = "Run one hub process."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="where to listen (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="the port (8000)")

    def handle(self, *, host: str, port: int, **options: Any) -> None:
        if exposed := exposure_problems(host):
            raise CommandError(" ".join(exposed))
        try:
            claim = take_database()
        except DatabaseUnusable as error:
            raise CommandError(str(error)) from error
        for name in unknown_variables():
            self.stderr.write(f"{name} is set, but it is no setting of Weir.")
        served = serve(host, port, settings.OPTIONS)
        if claim is not None:
            claim.close()
        if not served:
            raise CommandError(f"The hub cannot listen on {host}:{port}; is the port in use?")
