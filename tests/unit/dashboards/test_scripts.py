"""What a page makes a browser load of our scripts stays small: that is why there is no bundler.

Counted as the files stand there, with their comments, uncompressed, and with all that they import.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

DASHBOARDS = Path(__file__).parents[3] / "dashboards"
SCRIPTS = DASHBOARDS / "static" / "dashboards"
TEMPLATES = DASHBOARDS / "templates" / "dashboards"
MOST_BYTES = 60_000

LOADED = re.compile(r"{% static 'dashboards/([\w/-]+\.js)' %}")
INCLUDED = re.compile(r'{% (?:include|extends) "(?:dashboards/)?([\w/-]+\.html)"')
IMPORTED = re.compile(r'(?:from|import)\s*\(?"\./([\w/-]+\.js)"')
PAGES = sorted(
    str(path.relative_to(TEMPLATES))
    for path in TEMPLATES.rglob("*.html")
    if "{% block title %}" in path.read_text()
)


def reached(names: Iterable[str], folder: Path, link: re.Pattern[str]) -> set[str]:
    """These files of `folder`, and all that they lead to by `link`."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and (folder / name).is_file():
            found.add(name)
            waiting += link.findall((folder / name).read_text())
    return found


def scripts_of(page: str) -> set[str]:
    templates = reached([page], TEMPLATES, INCLUDED)
    named = {name for each in templates for name in LOADED.findall((TEMPLATES / each).read_text())}
    return reached(named, SCRIPTS, IMPORTED)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_loads_of_our_scripts_is_small(page: str) -> None:
    sizes = {name: (SCRIPTS / name).stat().st_size for name in scripts_of(page)}
    assert sum(sizes.values()) < MOST_BYTES, sorted(sizes.items(), key=lambda each: -each[1])


def test_no_script_lies_there_unloaded() -> None:
    loaded = {name for page in PAGES for name in scripts_of(page)}
    assert {path.name for path in SCRIPTS.glob("*.js")} == loaded
