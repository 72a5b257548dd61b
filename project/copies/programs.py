"""PostgreSQL's own client programs, run without a password where others could read it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any, Self

from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from project.copies import CannotCopy

_SECRET = {"password", "sslpassword"}


@dataclass(frozen=True, slots=True)
class Server:
    """How to reach a database: for the command line, and apart from it what is secret."""

    conninfo: str
    environment: dict[str, str]

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        """Of what psycopg connects with; what is not libpq's is left out."""
        known = {option.keyword.decode() for option in Conninfo.get_defaults()} - _SECRET
        given = {
            name: value
            for name, value in parameters.items()
            if name in known and value not in ("", None)
        }
        password = parameters.get("password")
        secret = {"PGPASSWORD": str(password)} if password else {}
        return cls(make_conninfo(**given), {**os.environ, **secret})


class Program:
    """One run of a client program; what it complains of is kept for the operator."""

    def __init__(
        self,
        name: str,
        *arguments: str,
        server: Server | None = None,
        reads: bool = False,
        tells: bool = False,
    ) -> None:
        """`reads` its standard input from us, `tells` us its output. Raises CannotCopy."""
        path = shutil.which(name)
        if path is None:
            raise CannotCopy(
                f"{name} was not found: install PostgreSQL's client programs, of the server's"
                " version or newer (Debian: postgresql-client)."
            )
        self._name = name
        # A pipe that nobody reads would fill up.
        self._complaints: IO[bytes] = TemporaryFile()  # noqa: SIM115  closed with the program
        self._running = subprocess.Popen(
            [path, *arguments, *(["--dbname", server.conninfo] if server else [])],
            env=server.environment if server else None,
            stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
            stdout=subprocess.PIPE if tells else subprocess.DEVNULL,
            stderr=self._complaints,
        )

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def input(self) -> IO[bytes]:
        assert self._running.stdin is not None
        return self._running.stdin

    @property
    def output(self) -> IO[bytes]:
        assert self._running.stdout is not None
        return self._running.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Ends it, if it has not ended before."""
        self._running.kill()
        self._running.wait()
        for pipe in (self._running.stdin, self._running.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._complaints.close()

    def end(self) -> None:
        """Wait until it has done its work. Raises CannotCopy with its own words if it has not."""
        if self._running.wait() != 0:
            raise CannotCopy(f"{self._name} failed: {self.complaint()}.")

    def complaint(self) -> str:
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace")
        errors = [line for line in said.splitlines() if "error" in line.lower()] or [said]
        return " ".join(" ".join(errors[:2]).split()).rstrip(".") or "it said nothing"
