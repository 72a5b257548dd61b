"""Each threat on the page names tests, and the tests that it names are there."""

from __future__ import annotations

import ast
import re

import pytest

from project.options import BASE_DIR

PAGE = (BASE_DIR / "docs" / "security.md").read_text()
SECTION = PAGE.split("## Threats", 1)[1].split("\n## ", 1)[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in SECTION.splitlines()
    if line.startswith("| ")
][2:]


def names_in(file: str) -> set[str]:
    tree = ast.parse((BASE_DIR / file).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


def test_there_is_a_row_for_each_threat() -> None:
    assert len(ROWS) > 15
    assert {len(row) for row in ROWS} == {3}


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:60] for row in ROWS])
def test_each_threat_has_an_answer_and_tests_that_are_there(row: list[str]) -> None:
    _, answer, shown_by = row
    assert answer.endswith(".")
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", shown_by)
    assert named
    assert shown_by == ", ".join(f"`{file}::{name}`" for file, name in named)
    for file, name in named:
        assert name in names_in(file), name


def test_every_setting_that_the_page_names_is_one() -> None:
    configuration = (BASE_DIR / "docs" / "configuration.md").read_text()
    for name in set(re.findall(r"WEIR_\w+", PAGE)):
        assert f"| `{name}` |" in configuration, name
