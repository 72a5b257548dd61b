"""Where retention has come to: a row for each series and form that was pruned.

A hub that has not been upgraded yet writes on meanwhile: it names the columns that it knows.
"""

from datetime import UTC, datetime
from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import ingest.fields

NEVER = datetime.min.replace(tzinfo=UTC)
# Not by Django's schema editor: on SQLite it makes the table anew, and a view refers to it.
ADD_HORIZON = {
    "sqlite": "ALTER TABLE ingest_linestate"
    " ADD COLUMN horizon bigint NOT NULL DEFAULT -62135596800000000",
    "postgresql": "ALTER TABLE ingest_linestate"
    " ADD COLUMN horizon timestamptz NOT NULL DEFAULT '0001-01-01 00:00:00+00'",
}


def forwards(apps: Any, schema_editor: Any) -> None:
    schema_editor.execute(ADD_HORIZON[schema_editor.connection.vendor])


def backwards(apps: Any, schema_editor: Any) -> None:
    schema_editor.execute("ALTER TABLE ingest_linestate DROP COLUMN horizon")


class Migration(migrations.Migration):
    dependencies = [("ingest", "0002_readings")]
    operations = [
        migrations.CreateModel(
            name="Horizon",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "series_id",
                        "step_s",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "step_s",
                    models.IntegerField(help_text="0 for readings, else that of the rollups."),
                ),
                ("kept_from", ingest.fields.InstantField()),
                ("swept_to", ingest.fields.InstantField()),
                (
                    "series",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="horizons",
                        to="devices.series",
                    ),
                ),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(forwards, backwards)],
            state_operations=[
                migrations.AddField(
                    model_name="linestate",
                    name="horizon",
                    field=ingest.fields.InstantField(default=NEVER),
                )
            ],
        ),
    ]
