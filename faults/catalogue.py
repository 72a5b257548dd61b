"""Finds the faults: every module of `faults.cases` is one."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import cast

from faults import Fault, cases


def catalogue() -> dict[str, Fault]:
    """All faults by name, in the order of their names."""
    names = sorted(found.name for found in iter_modules(cases.__path__))
    return {name: cast(Fault, import_module(f"faults.cases.{name}")) for name in names}
