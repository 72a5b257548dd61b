"""docs/reliability.md says of each fault, once, what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import faults.cases
from faults.cli import PAGE


def test_every_fault_is_explained() -> None:
    [folder] = faults.cases.__path__
    there = sorted(path.stem for path in Path(folder).glob("[a-z]*.py"))
    explained = re.findall(r"^- \*\*`(\w+)`\*\*:", PAGE.read_text(), re.MULTILINE)
    assert sorted(explained) == there
