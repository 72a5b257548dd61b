"""Finds the two files of the chart library, and nothing else of `node_modules`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

PREFIX = "uplot"
FILES = ("uPlot.esm.js", "uPlot.min.css")


def chart_library() -> Path:
    return Path(settings.NODE_MODULES) / "uplot" / "dist"


def missing_files() -> list[str]:
    return [name for name in FILES if not (chart_library() / name).is_file()]


class ChartLibraryFinder(BaseFinder):
    """`static/uplot/…`, straight from where npm put it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        storage = FileSystemStorage(location=chart_library())
        storage.prefix = PREFIX  # type: ignore[attr-defined]  # what staticfiles reads
        self.storages = {PREFIX: storage}

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        prefix, _, name = path.partition("/")
        found = chart_library() / name
        if prefix != PREFIX or name not in FILES or not found.is_file():
            return []
        return [str(found)] if find_all else str(found)

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Any]]:
        missing = missing_files()
        for name in FILES:
            if name not in missing:
                yield name, self.storages[PREFIX]
