"""`manage.py runhub`: one hub process on Daphne, or several, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import os
import socket
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils.module_loading import import_string

from project.checks import exposure_problems
from project.children import Asked, Child
from project.database import DatabaseUnusable, take_database
from project.options import Options, unknown_variables, variable
from project.supervisor import Supervisor

LAST_PORT: Final = 65_535
FLUSH_INTERVAL: Final = variable("flush_interval_s")
LONGEST_FLUSH_INTERVAL_S: Final = 0.2
"""What a device waits for its ack is felt beyond it."""


class Command(BaseCommand):
    help = "Run one hub process, or several on ports that follow each other."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--host", default="127.0.0.1", help="where to listen (127.0.0.1)")
        add("--port", type=int, default=8000, help="the port, of several hubs the first (8000)")
        add("--processes", type=_count, default=1, help="how many hubs, each on its port (1)")

    def handle(self, *, host: str, port: int, processes: int, **options: Any) -> None:
        if exposed := exposure_problems(host):
            raise CommandError(" ".join(exposed))
        if processes > 1 and connection.vendor == "sqlite":
            raise CommandError(
                f"SQLite takes one hub: for --processes {processes}, name a PostgreSQL"
                " in DATABASE_URL."
            )
        try:
            claim = take_database()
        except DatabaseUnusable as error:
            raise CommandError(str(error)) from error
        for name in unknown_variables():
            self.stderr.write(f"{name} is set, but it is no setting of Weir.")
        if processes > 1:
            self._run_several(host, range(port, port + processes))
            return
        # Who only watches over hubs has no use for all that one is made of.
        serve: Callable[[str, int, Options], bool] = import_string("project.server.runner.serve")
        served = serve(host, port, settings.OPTIONS)
        if claim is not None:
            claim.close()
        if not served:
            raise CommandError(_no_port(host, port))

    def _run_several(self, host: str, ports: Sequence[int]) -> None:
        asked = Asked()
        try_ports(host, ports)
        if not settings.OPTIONS.redis_url:
            self.stderr.write(
                "REDIS_URL is not set: each of these hubs shows live only what it took itself."
            )
        interval_s = flush_interval_s(len(ports))
        if interval_s != settings.OPTIONS.flush_interval_s:
            self.stderr.write(
                f"{FLUSH_INTERVAL} is {interval_s:g} in each: so they commit as often as one hub."
            )
        for name in unknown_variables():
            del os.environ[name]  # or each hub would say again what was said above
        manage = str(settings.BASE_DIR / "manage.py")

        def start(port: int) -> Child:
            command = [sys.executable, manage, "runhub", "--host", host, "--port", str(port)]
            environment = {FLUSH_INTERVAL: f"{interval_s:g}"}
            return Child(f"The hub on port {port}", command, environment=environment)

        Supervisor(start, ports, settings.OPTIONS.stop_timeout_s).run(asked)


def flush_interval_s(hubs: int) -> float:
    """How long each of so many waits for a batch, if nobody has said it.

    A commit costs the hub and the database the same for one reading as for hundreds: measured, four
    hubs that flush each as often as one took 1.6 times its processor time for the same readings.
    """
    given_s = settings.OPTIONS.flush_interval_s
    if FLUSH_INTERVAL in os.environ:
        return given_s
    return max(given_s, min(given_s * hubs, LONGEST_FLUSH_INTERVAL_S))


def try_ports(host: str, ports: Sequence[int]) -> None:
    """What each hub would find out for itself, said once and before any of them runs."""
    if ports[-1] > LAST_PORT:
        raise CommandError(f"There is no port {ports[-1]}: give a lower --port.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in ports:
        with socket.socket(family) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((host, port))
            except OSError:
                raise CommandError(_no_port(host, port)) from None


def _no_port(host: str, port: int) -> str:
    return f"The hub cannot listen on {host}:{port}; is the port in use?"


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"how many hubs is a number from 1, not {text!r}")
    return int(text)
