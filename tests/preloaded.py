"""A Python that has imported the libraries of Weir, and forks for each command that a test starts.

    python -m tests.preloaded FD

Most of a hub's start is the import of libraries, two seconds of a processor, and the tests start
hundreds of hubs. What is forked is a process like any other, with its own environment and files;
all of Weir's own modules, its settings and the event loop it imports and makes by itself.

A command comes over the socket FD with its files: what it reads, what it prints to, and a socket
that is told its pid, and at last how it ended.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

LIBRARIES = """
    annotated_types asgiref.server asgiref.sync asyncio channels.auth channels.generic.websocket
    channels.layers channels.routing channels_redis.core concurrent.futures cryptography.x509
    daphne.http_protocol daphne.ws_protocol django.contrib.admin django.contrib.auth.hashers
    django.core.handlers.asgi django.core.management django.core.serializers.json
    django.db.backends.postgresql.base django.db.backends.sqlite3.base
    django.db.migrations.executor django.db.models django.forms django.http
    django.template.loader_tags django.urls django.views.generic django_prometheus logging.config
    orjson prometheus_client psycopg pydantic pydantic_settings sqlite3 ssl
    twisted.internet.endpoints twisted.internet.posixbase twisted.internet.tcp
    twisted.protocols.tls zoneinfo
"""
ALONE = "twisted.internet.reactor"
"""Who imports this makes an event loop, which a fork would share."""

PR_SET_PDEATHSIG = 1
MOST_BYTES = 1 << 20

Command = tuple[dict[str, Any], list[int]]
"""Its program with arguments, environment and folder; and its files."""


def main(descriptor: int) -> None:
    for name in LIBRARIES.split():
        importlib.import_module(name)
    assert ALONE not in sys.modules
    gc.collect()
    gc.freeze()
    if (command := _serve(descriptor)) is not None:
        _become(*command)


def _serve(descriptor: int) -> Command | None:
    """Fork for each command that comes; in a fork its command, and None when no more can come."""
    asked = socket.socket(fileno=descriptor)
    with selectors.DefaultSelector() as selector:
        selector.register(asked, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not asked:
                    _tell_end(selector, key)
                elif (command := _command(asked)) is None or not (pid := os.fork()):
                    asked.detach()
                    return command
                else:
                    *files, last = command[1]
                    report = socket.socket(fileno=last)
                    report.sendall(f"{pid}\n".encode())
                    selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, report))
                    for file in files:
                        os.close(file)


def _command(asked: socket.socket) -> Command | None:
    told, files, _, _ = socket.recv_fds(asked, MOST_BYTES, 4)
    return (json.loads(told), files) if told else None


def _tell_end(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    pid, report = key.data
    _, status = os.waitpid(pid, 0)
    selector.unregister(key.fileobj)
    os.close(key.fd)
    with suppress(OSError), report:
        report.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def _become(command: dict[str, Any], files: list[int]) -> None:
    """The program that was asked for. It ends with whoever forked it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["folder"])
    program, *arguments = command["arguments"]
    sys.argv = [program, *arguments]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main(int(sys.argv[1]))
