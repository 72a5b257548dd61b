"""`manage.py protocolschema`: the device protocol as JSON Schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ingest.schema import published


class Command(BaseCommand):
    help = "Print the device protocol as JSON Schema, or write it to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="docs/weir.v1.schema.json")

    def handle(self, *, file: Path | None, **options: Any) -> None:
        if file is None:
            self.stdout.write(published(), ending="")
        else:
            file.write_text(published())
