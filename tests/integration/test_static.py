"""Scripts and styles reach a browser compressed, and the same as they are."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from django.conf import settings
from django.http import StreamingHttpResponse
from django.test import AsyncClient
from django.test.utils import override_settings

from project.static import compressed

SCRIPTS = Path(__file__).parents[2] / "dashboards" / "static" / "dashboards"
MOST_BYTES = 60_000


async def served(client: AsyncClient, name: str, encoding: str) -> tuple[bytes, str]:
    """The body of a static file as it is sent, and its encoding."""
    headers = {"accept-encoding": encoding}
    answer = await client.get(f"/static/dashboards/{name}", headers=headers)
    assert isinstance(answer, StreamingHttpResponse)
    assert answer.status_code == 200
    body = b"".join([chunk async for chunk in answer.streaming_content])
    assert len(body) == int(answer["Content-Length"])
    assert answer["Content-Type"].startswith(("text/javascript", "text/css"))
    return body, answer.get("Content-Encoding", "")


async def test_the_whole_javascript_of_ours_is_small_on_the_wire() -> None:
    client = AsyncClient()
    names = [path.name for path in SCRIPTS.glob("*.js")]
    bodies = [(await served(client, name, "gzip, br"))[0] for name in names]
    assert bodies
    assert sum(map(len, bodies)) < MOST_BYTES


@pytest.mark.parametrize("name", ["fleet.js", "fleet.css"])
async def test_compressed_or_not_a_file_is_the_same(name: str) -> None:
    zipped, encoding = await served(AsyncClient(), name, "gzip")
    plain, none = await served(AsyncClient(), name, "identity")
    assert (encoding, none) == ("gzip", "")
    assert gzip.decompress(zipped) == plain == (SCRIPTS / name).read_bytes()


def test_a_file_is_compressed_once_for_each_content(tmp_path: Path) -> None:
    script = tmp_path / "a.js"
    script.write_text("one")
    made = compressed(script, tmp_path / "made")
    at_ns = made.stat().st_mtime_ns
    assert compressed(script, tmp_path / "made") == made
    assert made.stat().st_mtime_ns == at_ns
    script.write_text("two")
    assert gzip.decompress(compressed(script, tmp_path / "made").read_bytes()) == b"two"
    assert len(list((tmp_path / "made").iterdir())) == 2, "nothing half made is left"


async def test_where_nothing_can_be_written_files_are_served_plain(tmp_path: Path) -> None:
    (tmp_path / "compressed").write_text("a file, where the folder should be")
    with override_settings(OPTIONS=settings.OPTIONS.model_copy(update={"data_dir": tmp_path})):
        body, encoding = await served(AsyncClient(), "fleet.js", "gzip")
    assert (body, encoding) == ((SCRIPTS / "fleet.js").read_bytes(), "")
