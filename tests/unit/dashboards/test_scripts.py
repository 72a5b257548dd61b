"""What a browser has to load of ours stays small: that is why there is no bundler."""

from __future__ import annotations

from pathlib import Path

SCRIPTS = Path(__file__).parents[3] / "dashboards" / "static" / "dashboards"
MOST_BYTES = 60_000


def test_all_scripts_of_ours_together_stay_small() -> None:
    sizes = {path.name: path.stat().st_size for path in SCRIPTS.rglob("*.js")}
    assert sizes
    assert sum(sizes.values()) < MOST_BYTES, sorted(sizes.items(), key=lambda each: -each[1])
