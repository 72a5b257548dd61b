"""Private servers for the tests: a PostgreSQL and a Redis on free loopback ports, throw-away data.

They share nothing with the machine's own: no port, folder, user's configuration or database. Each
runs under a keeper (`tests.keeper`), and so never outlives the process that started it.

Knows nothing of pytest or Django.
"""

from __future__ import annotations

import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql

from project.options import FRAME_MOST_BYTES

START_S = 30.0
"""PostgreSQL starts in 0.1 s; a machine that is busy with other tests is slower."""

TRIES = 3
"""A free port may be taken between asking for it and the server's taking it."""

KEEPER = Path(__file__).with_name("keeper.py")

# Below the ports that systems give to outgoing connections (Linux 32768, others 49152): one of
# those, a simulator's that comes back say, may take the port of a hub that is being restarted.
PORTS = range(15_000, 32_000)

UVICORN = [
    *("-m", "uvicorn", "project.asgi:application", "--workers", "1", "--log-level", "warning"),
    *("--ws-max-size", str(FRAME_MOST_BYTES), "--ws-ping-timeout", "600"),
]
"""What Python is to run for the same application to be served by uvicorn, as the docs say."""


NO_ANSWER = (OSError, psycopg.OperationalError, redis.RedisError)


class CannotStart(Exception):
    """The server ended or did not answer in time; holds the end of its log."""


class PrivateServer(ABC):
    """A server of the tests' own, which they may stop and start again on the same port and data."""

    LAST = signal.SIGINT
    """What ends it when nothing of it is to be kept."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="weir-test-"))
        self.user = unprivileged_user()
        self.port = 0
        self._keeper: subprocess.Popen[bytes] | None = None
        if self.user:
            shutil.chown(self.folder, self.user)

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def ping(self) -> None:
        """Return when the server answers, else raise its client's error."""

    @property
    def running(self) -> bool:
        return self._keeper is not None and self._keeper.poll() is None

    def __enter__(self) -> Self:
        for remaining in reversed(range(TRIES)):
            self.port = free_port()
            try:
                self.start()
            except CannotStart:
                if not remaining:
                    self.close()
                    raise
            else:
                break
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self) -> None:
        assert self._keeper is None
        kept = str(self.folder), self.user, str(int(self.LAST))
        with (self.folder / "log").open("ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, str(KEEPER), *kept, *self.command()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for the tests, which still need their server
            )
        deadline_s = time.monotonic() + START_S
        while True:
            try:
                return self.ping()
            except NO_ANSWER:
                if not self.running or time.monotonic() > deadline_s:
                    self.stop()
                    raise CannotStart(self.log_tail()) from None
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server and keep what it stored."""
        self._release(b"stop\n")

    def kill(self) -> None:
        """End the server with no warning and keep what it stored, as if memory had run out."""
        self.send(signal.SIGKILL)
        assert self._keeper is not None
        self._keeper.wait()  # it sees that the server ended; told first, it would clear up
        self._keeper.communicate()
        self._keeper = None

    def freeze(self) -> None:
        """All of it stands still, and its connections stay open; `thaw` lets it go on."""
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        """To the server and all that it started. Linux only."""
        assert self._keeper is not None
        [server] = _children(self._keeper.pid)
        for pid in [server, *_children(server)]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def close(self) -> None:
        """Stop the server and remove what it stored."""
        self._release(b"")
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_tail(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def _release(self, word: bytes) -> None:
        if self._keeper is not None:
            self._keeper.communicate(word)
            self._keeper = None


class Postgres(PrivateServer):
    """As a hub demands it: fsync and synchronous commits stay on, as they are by default."""

    # An immediate shutdown. Any other writes and syncs all that was stored, for twenty seconds.
    LAST = signal.SIGQUIT

    def __init__(self, programs: Path) -> None:
        super().__init__()
        self.programs = programs
        self.password = secrets.token_hex(16)
        self._initdb()

    @property
    def url(self) -> str:
        return f"postgres://weir:{self.password}@127.0.0.1:{self.port}/postgres"

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.folder / "stored"), *options]

    def ping(self) -> None:
        psycopg.connect(self.url, connect_timeout=5).close()

    def _initdb(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self.user:
            shutil.chown(password_file, self.user)
        made = subprocess.run(
            [
                str(self.programs / "initdb"),
                f"--pgdata={self.folder / 'stored'}",
                f"--pwfile={password_file}",
                "--username=weir",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",  # of the empty database only
            ],
            check=False,
            user=self.user or None,
            group=pwd.getpwnam(self.user).pw_gid if self.user else None,
            extra_groups=[] if self.user else None,
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        if made.returncode:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise CannotStart(made.stderr)


class Redis(PrivateServer):
    """`options` are further ones of its command line."""

    def __init__(self, program: Path, *options: str) -> None:
        super().__init__()
        self.program = program
        self.options = options

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [
            str(self.program),
            *("--bind", "127.0.0.1", "--port", str(self.port)),
            *("--dir", str(self.folder), "--save", "", "--appendonly", "no"),
            *self.options,
        ]

    def ping(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.ping()


class RedisCluster:
    """Three nodes of a Redis Cluster, a third of the slots each, and no replicas."""

    NODES = 3
    SLOTS = 16_384

    def __init__(self, program: Path) -> None:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        self.nodes = [
            Redis(program, *options, "--cluster-port", str(free_port())) for _ in range(self.NODES)
        ]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            for node in self.nodes:
                self._stack.enter_context(node)
            self._join()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _join(self) -> None:
        met, each = self.nodes[0], self.SLOTS // self.NODES + 1
        for n, node in enumerate(self.nodes):
            with redis.Redis.from_url(node.url) as client:
                first, last = n * each, min((n + 1) * each, self.SLOTS) - 1
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", met.port, met.options[-1])
        deadline_s = time.monotonic() + START_S
        while not all(map(self._is_whole, self.nodes)):
            if time.monotonic() > deadline_s:
                raise CannotStart(met.log_tail())
            time.sleep(0.05)

    def _is_whole(self, node: Redis) -> bool:
        with redis.Redis.from_url(node.url) as client:
            told = bytes(client.execute_command("CLUSTER", "INFO"))
            return b"cluster_state:ok" in told and b"known_nodes:%d" % self.NODES in told


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's programs. Debian keeps them, by version, away from PATH."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, key=lambda path: int(path.parent.parent.name), default=None)
    on_path = shutil.which("initdb")
    found = newest or (Path(on_path).resolve() if on_path else None)
    return found.parent if found else None


def find_nginx() -> Path | None:
    """Debian keeps it where only root's PATH looks."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return Path(found) if found else None


def find_redis() -> Path | None:
    found = shutil.which("redis-server")
    return Path(found) if found else None


def create_database(server_url: str) -> str:
    """Create an empty database on the server, and return its URL."""
    name = f"weir_test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(
                sql.Identifier(name)
            )
        )
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def drop_database(url: str) -> None:
    """Drop what `create_database` made, whoever is still connected to it."""
    parts = urlsplit(url)
    name = parts.path.removeprefix("/")
    assert name.startswith("weir_test_"), name
    with psycopg.connect(parts._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def free_port(count: int = 1) -> int:
    """One that is free, and those that follow it; none that a connection may be given meanwhile."""
    for port in random.sample(PORTS, 100):
        if all(_is_free(port + n) for n in range(count)):
            return port
    raise AssertionError("a hundred ports, and none of them free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def unprivileged_user() -> str:
    """PostgreSQL refuses to run as root; empty where we are somebody else already."""
    if os.geteuid() != 0:
        return ""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
