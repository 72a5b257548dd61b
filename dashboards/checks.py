"""What the pages need and can be found missing before anyone opens one."""

from __future__ import annotations

from typing import Any

from django.core import checks

from dashboards.finders import chart_library, missing_files


@checks.register("dashboards")
def chart_library_is_installed(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    missing = missing_files()
    if not missing:
        return []
    return [
        checks.Warning(
            f"The charts will be missing: no {' and no '.join(missing)} in {chart_library()}.",
            hint="Run `make install`.",
            id="dashboards.W001",
        )
    ]
