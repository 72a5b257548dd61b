"""A hub that breaks at one step of its work: `manage.py runhub` with one function of it wrapped.

    WEIR_TEST_BREAK="die 3 before ingest.storage.sqlite:SqliteEngine.commit"

`die` ends the process with SIGKILL; `fail` is what an engine says of its own trouble, once. The
number says at which call it happens. `SYNCHRONOUS NORMAL` in its place weakens SQLite's commits:
for whoever must show that he would notice. The hub knows nothing of it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import django
from django.core.management import call_command

from ingest.storage import Trouble, sqlite_connection

VARIABLE = "WEIR_TEST_BREAK"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    words = os.environ.get(VARIABLE, "").split()
    if words[:1] == ["SYNCHRONOUS"]:
        weaken(words[1])
    elif words:
        what, number, moment, where = words
        wrap(where, broken(what, int(number), moment))
    sys.argv[0] = "runhub"
    call_command("runhub", *sys.argv[1:])


def weaken(synchronous: str) -> None:
    weaker = [
        pragma.replace("synchronous=FULL", f"synchronous={synchronous}")
        for pragma in sqlite_connection.PRAGMAS
    ]
    sqlite_connection.PRAGMAS = tuple(weaker)  # type: ignore[misc, assignment]


def wrap(where: str, wrapper: Callable[[Any], Any]) -> None:
    """Put `wrapper(it)` in the place of `module:name` or of `module:Class.name`."""
    module, _, path = where.partition(":")
    holder: Any = import_module(module)
    *classes, name = path.split(".")
    for each in classes:
        holder = getattr(holder, each)
    setattr(holder, name, wrapper(getattr(holder, name)))


def broken(what: str, number: int, moment: str) -> Callable[[Any], Any]:
    """Break at call `number`, from 1, `before` or `after` the work of it is done."""

    def break_now() -> None:
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        raise Trouble("broken for a test")

    def wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
        calls = 0

        def called(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == number and moment == "before":
                break_now()
            answer = function(*arguments)
            if calls == number and moment == "after":
                break_now()
            return answer

        return called

    return wrapper


if __name__ == "__main__":
    main()
