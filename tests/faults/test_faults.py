"""Each fault in its short form, on each of its databases: states only, never times."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from faults import Missing
from faults.catalogue import catalogue
from faults.cli import make
from faults.ground import Ground
from tests.programs import ZEROS

FAULTS = catalogue()
CASES = [(name, engine) for name, fault in FAULTS.items() for engine in fault.ENGINES]


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with Ground(tmp_path_factory.mktemp("faults")) as ground:
        yield ground


@pytest.mark.parametrize(("name", "engine"), CASES, ids=["-".join(case) for case in CASES])
def test_nothing_acked_is_lost(
    name: str,
    engine: str,
    ground: Ground,
    tmp_path: Path,
    leave_out: Callable[[str, str], NoReturn],
) -> None:
    seed = random.randrange(10**6)  # told where it fails: it does the same again
    try:
        rows = make(name, FAULTS[name], engine, ground, tmp_path, short=True, seed=seed)
    except Missing as missing:
        leave_out(missing.group, str(missing))
    assert rows
    assert all(row.differences == ZEROS for row in rows)
