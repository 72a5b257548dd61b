"""The hub's own scripts and styles, compressed for browsers that take it.

ServeStatic serves a compressed file that lies beside the plain one, but makes none without a
collectstatic, which Weir has not. So they are made here, once for each content: in the folder of
the hub's files, since the code may lie where nothing can be written.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
from pathlib import Path

from django.conf import settings
from servestatic.middleware import ServeStaticMiddleware
from servestatic.responders import StaticFile

WORTH_IT = {".js", ".css", ".svg"}


class CompressedStatic(ServeStaticMiddleware):
    """Knows a gzip file of each script and style, where it could be made."""

    def get_static_file(
        self, path: str, url: str, stat_cache: dict[str, os.stat_result] | None = None
    ) -> StaticFile:
        plain = super().get_static_file(path, url, stat_cache)
        if Path(path).suffix not in WORTH_IT:
            return plain
        try:
            made = compressed(Path(path), settings.OPTIONS.data_dir / "compressed")
        except OSError:  # a full disk, say: plain is as good
            return plain
        [(_, _, headers)] = plain.alternatives
        return StaticFile(path, headers, encodings={"gzip": str(made)})


def compressed(path: Path, folder: Path) -> Path:
    """The gzip file in `folder` of what is in `path`; made, if it is not there. OSError."""
    content = path.read_bytes()
    made = folder / f"{path.stem}-{hashlib.sha256(content).hexdigest()[:16]}{path.suffix}.gz"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
            part.write(gzip.compress(content, mtime=0))
            part.flush()
            os.fsync(part.fileno())  # or a power cut leaves half of it under its last name
        Path(part.name).replace(made)  # two hubs may make it at once
    return made
