"""`manage.py demo`: the hub, a demo fleet and its simulated readings, until Ctrl-C.

The first run creates an admin login and the fleet; a later one keeps what is there. It only wires:
the hub and the simulators are programs of their own, and die with this one.
"""

from __future__ import annotations

import socket
import sys
import time
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from devices.fleet import TooManyDevices, append_tokens, give_tokens, open_tokens
from devices.models import Device
from project import login
from project.address import is_loopback, own_hosts, shown_host
from project.checks import exposure_problems
from project.children import Asked, Child, first_to_end

FLEET = [
    ("greenhouse-north", "Greenhouse, north bench", ["greenhouse"]),
    ("greenhouse-south", "Greenhouse, south bench", ["greenhouse"]),
    ("cold-store-1", "Cold store 1", ["store"]),
    ("cold-store-2", "Cold store 2", ["store"]),
    ("boiler-room", "Boiler room", ["house"]),
    ("attic", "Attic", ["house"]),
    ("orchard-weather", "Orchard weather mast", ["outdoors"]),
    ("rain-tank", "Rain-water tank", ["outdoors"]),
]
_INTERVAL_S = 1.0
# The hub commits what it has taken before it ends.
_HUB_STOPS_WITHIN_S = 20.0
_SIMULATORS_STOP_WITHIN_S = 5.0
_HUB_ANSWERS_WITHIN_S = 60.0


class Command(BaseCommand):
    help = "Run the hub with a demo fleet that sends simulated readings, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="where to listen (127.0.0.1)")
        parser.add_argument("--port", type=_port, default=8000, help="the port (8000)")
        parser.add_argument(
            "--without-fleet", action="store_true", help="the hub and its admin login alone"
        )

    def handle(self, *, host: str, port: int, without_fleet: bool, **options: Any) -> None:
        if exposed := exposure_problems(host):
            raise CommandError(" ".join(exposed))
        asked = Asked()
        open_to_others = not is_loopback(host)
        # Before the hub listens: a login whose password was printed is not shown to a network.
        password = None if open_to_others else login.enable_login()
        if open_to_others:
            login.disable_login()
        tokens = settings.OPTIONS.data_dir.resolve() / "demo-tokens.jsonl"
        try:
            added = [] if without_fleet else _add_fleet(tokens)
        except TooManyDevices as error:
            raise CommandError(str(error)) from None
        connections.close_all()

        children: list[Child] = []
        try:
            children.append(_start_hub(host, port))
            self._greet(host, port, password, added, None if without_fleet else tokens)
            _wait_for_answer(children[0], host, port, asked)
            if not without_fleet and not asked:
                children.append(_start_simulators(host, port, tokens))
            ended = first_to_end(children, lambda: bool(asked))
        finally:
            # The devices first, so that the hub has nothing left to take when it drains.
            for child in reversed(children):
                child.stop(
                    _HUB_STOPS_WITHIN_S if child is children[0] else _SIMULATORS_STOP_WITHIN_S
                )
        if ended is not None:
            raise CommandError(f"{ended.name} ended by itself (status {ended.ended()}).")
        self.stdout.write("Stopped; what was stored is kept.")

    def _greet(
        self, host: str, port: int, password: str | None, added: list[str], tokens: Path | None
    ) -> None:
        lines = [f"Weir: http://{shown_host(host)}:{port}/"]
        if not is_loopback(host):
            lines += [
                "The demo login is off, because others can reach this address. Your own login:",
                f"  {sys.executable} manage.py createsuperuser",
            ]
        elif password is not None:
            lines += [f"Login: {login.NAME}, password {password} (shown only now)"]
        else:
            lines += [f"Login: {login.NAME} exists; its password was shown when it was made."]
            lines += [f"  {sys.executable} manage.py changepassword {login.NAME}  # for a new one"]
        if tokens is not None and added:
            lines += [f"Demo fleet: {', '.join(added)}", f"Their tokens: {tokens}"]
        elif tokens is not None:
            lines += [f"Demo fleet: {len(FLEET)} devices exist."]
        lines += ["Ctrl-C stops it."]
        self.stdout.write("\n" + "\n".join(lines) + "\n")
        self.stdout.flush()


def _add_fleet(tokens: Path) -> list[str]:
    """Add what is missing of the demo fleet, and tokens if their file is; the uids added."""
    devices = [
        Device(uid=uid, name=name, tags=tags, expected_interval_s=_INTERVAL_S)
        for uid, name, tags in FLEET
    ]
    known = set(
        Device.objects.filter(uid__in=[uid for uid, _, _ in FLEET]).values_list("uid", flat=True)
    )
    if tokens.exists() and tokens.stat().st_size and len(known) == len(FLEET):
        return []
    # All anew: a token that was lost with its file cannot be shown again.
    tokens.unlink(missing_ok=True)
    with open_tokens(tokens) as file:
        added, texts = give_tokens(devices)
        append_tokens(file, texts)
    return added


def _start_hub(host: str, port: int) -> Child:
    hosts = dict.fromkeys([*settings.OPTIONS.allowed_hosts, *own_hosts(host)])
    manage = str(settings.BASE_DIR / "manage.py")
    return Child(
        "The hub",
        [sys.executable, manage, "runhub", "--host", host, "--port", str(port)],
        environment={"WEIR_ALLOWED_HOSTS": ",".join(hosts)},
    )


def _start_simulators(host: str, port: int, tokens: Path) -> Child:
    url = f"ws://{_near(host)}:{port}/ws/ingest/"
    command = [sys.executable, "-m", "simulators", "run", "--url", url, "--tokens", str(tokens)]
    command += ["--devices", str(len(FLEET)), "--rate", str(1 / _INTERVAL_S), "--metrics", "4"]
    command += ["--state", "--duration", "forever", "--quiet"]
    return Child("The demo fleet", command, folder=settings.BASE_DIR, quiet=True)


def _wait_for_answer(hub: Child, host: str, port: int, asked: Asked) -> None:
    """Until the hub accepts a connection, has ended, or we are asked to stop."""
    deadline = time.monotonic() + _HUB_ANSWERS_WITHIN_S
    while hub.ended() is None and not asked:
        try:
            socket.create_connection((_near(host).strip("[]"), port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise CommandError(
                    f"The hub did not answer within {_HUB_ANSWERS_WITHIN_S:.0f} s."
                ) from None
            time.sleep(0.05)


def _near(host: str) -> str:
    """The host by which this machine itself reaches a server bound to `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)
