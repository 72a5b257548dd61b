"""The settings, their page and the example of an environment say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from ingest.metrics import BOUNDS
from ingest.reading import Code
from project.options import BASE_DIR, Options

SETTINGS = {
    str(field.validation_alias or f"WEIR_{name.upper()}"): field
    for name, field in Options.model_fields.items()
}
# What docker compose has to be given, though the hub's default is another.
FILLED_IN = {"WEIR_SECRET_KEY", "WEIR_METRICS_TOKEN"}


def page() -> dict[str, str]:
    """Each setting of docs/configuration.md with the cell of its default."""
    text = (BASE_DIR / "docs" / "configuration.md").read_text()
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", text, re.MULTILINE))


def example() -> dict[str, str]:
    """Each setting of .env.example with its value, whether it is commented out or not."""
    text = (BASE_DIR / ".env.example").read_text()
    return dict(re.findall(r"^#?((?:WEIR_|DATABASE_|REDIS_)[A-Z_]+)=(.*)$", text, re.MULTILINE))


def written(value: object) -> str:
    """A default as somebody would write it into an environment."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ",".join(value)
        case Path():
            return str(value.relative_to(BASE_DIR))
        case float():
            return f"{value:g}"
    return str(value)


def bounds(field: FieldInfo) -> str:
    """What else it may be, as the page says it."""
    found = {type(each): each for each in field.metadata}
    least, most, above = found.get(Ge), found.get(Le), found.get(Gt)
    if isinstance(least, Ge) and isinstance(most, Le):
        return f" ({least.ge:g} to {written(most.le)})"
    if isinstance(least, Ge):
        return f" ({least.ge:g} or more)"
    return f" (more than {above.gt:g})" if isinstance(above, Gt) else ""


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_on_the_page_with_its_default_and_its_bounds(name: str) -> None:
    default = written(SETTINGS[name].default)
    assert page()[name] == (f"`{default}`" if default else "empty") + bounds(SETTINGS[name])


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_in_the_example_with_its_default(name: str) -> None:
    assert example()[name] == written(SETTINGS[name].default)


def test_the_page_and_the_example_name_no_setting_that_is_not_there() -> None:
    assert page().keys() == SETTINGS.keys()
    assert example().keys() == SETTINGS.keys()


def test_the_example_leaves_all_but_the_secrets_at_their_defaults() -> None:
    text = (BASE_DIR / ".env.example").read_text()
    assert set(re.findall(r"^(WEIR_[A-Z_]+)=", text, re.MULTILINE)) == FILLED_IN


@pytest.mark.parametrize("name", SETTINGS)
def test_what_the_example_says_can_be_read_back(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in SETTINGS:
        monkeypatch.delenv(other, raising=False)
    default = Options()
    value = example()[name]
    monkeypatch.setenv(name, str(BASE_DIR / value) if name == "WEIR_DATA_DIR" else value)
    assert Options() == default


def test_the_page_names_the_counter_of_each_bound() -> None:
    text = (BASE_DIR / "docs" / "configuration.md").read_text()
    assert set(re.findall(r'weir_bounds_met_total\{bound="(\w+)"\}', text)) == set(BOUNDS)
    assert set(re.findall(r'weir_refused_readings_total\{code="(\w+)"\}', text)) <= set(Code)
