"""docs/reliability.md says of each fault what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import faults.cases
from faults.cli import PAGE


def test_every_fault_is_explained() -> None:
    [folder] = faults.cases.__path__
    there = {path.stem for path in Path(folder).glob("[a-z]*.py")}
    assert set(re.findall(r"^- \*\*`(\w+)`\*\*:", PAGE.read_text(), re.MULTILINE)) == there
