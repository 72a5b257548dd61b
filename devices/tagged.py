"""Conditions on a device's tags, which are a list of texts, in the words of either engine.

Device.objects.filter(has_any_tag("tags", ["roof", "north"]))
Series.objects.filter(has_tag_with("device__tags", "roo"))
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Lookup, Q
from django.db.models.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    _Lookup = Lookup[Any]
else:
    _Lookup = Lookup

# What another program wrote there may be no list; PostgreSQL would fail the whole query for it.
_ELEMENTS = (
    "jsonb_array_elements_text(CASE jsonb_typeof({0}) WHEN 'array' THEN {0} ELSE '[]' END)"
    " AS tag(value)"
)


def has_any_tag(field: str, tags: Collection[str]) -> Q:
    """One of the tags in `field` is one of `tags`."""
    condition = f"value IN ({', '.join(['%s'] * len(tags))})" if tags else "1 = 0"
    return Q(_OneTag(F(field), (condition, tuple(tags))))


def has_tag_with(field: str, text: str) -> Q:
    """One of the tags in `field` contains `text`, in any case (on SQLite, of ASCII's letters)."""
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    condition = r"lower(value) LIKE lower(%s) ESCAPE '\'"
    return Q(_OneTag(F(field), (condition, (f"%{escaped}%",))))


class _OneTag(_Lookup):
    """Of one element of the list on the left, the condition on the right, with its parameters."""

    prepare_rhs = False

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[str | int, ...]]:
        column, column_parameters = self.process_lhs(compiler, connection)
        condition, parameters = self.rhs
        elements = f"json_each({column})"
        if connection.vendor == "postgresql":
            elements = _ELEMENTS.format(column)
        sql = f"EXISTS (SELECT 1 FROM {elements} WHERE {condition})"
        return sql, (*column_parameters, *parameters)
