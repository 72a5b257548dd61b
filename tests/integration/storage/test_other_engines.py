"""`deploy/citus.sql` and `deploy/timescale.sql`, run on PostgreSQL with stand-ins for both engines.

The stand-ins do nothing but hold the files against the rules that the extensions publish: what a
table must be, and which columns its unique keys must have. So the files name real tables and
columns, and PostgreSQL has parsed every statement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from pytest_django.plugin import DjangoDbBlocker

from ingest.soundness import rollup_findings
from ingest.storage.postgres_partitions import partitions
from tests.integration.engine import default_database
from tests.integration.storage.stage import Stage, counts, postgres_parameters, run, stored

DEPLOY = Path(settings.BASE_DIR) / "deploy"
EXTENSION = re.compile(r"^CREATE EXTENSION IF NOT EXISTS (\w+);$", re.MULTILINE)
# https://docs.citusdata.com: a unique key has the distribution column; colocated are columns of one
# type. https://www.tigerdata.com/docs: a unique key has the partitioning column; no table that is
# partitioned already, and without migrate_data none that has rows.
STAND_INS = """
CREATE FUNCTION unique_keys_have(relation regclass, wanted name) RETURNS void LANGUAGE plpgsql AS $$
DECLARE number smallint;
BEGIN
  SELECT attnum INTO STRICT number FROM pg_attribute WHERE attrelid = relation AND attname = wanted;
  IF EXISTS (SELECT 1 FROM pg_index WHERE indrelid = relation AND indisunique
                                    AND NOT number = ANY(indkey::smallint[])) THEN
    RAISE 'a unique key of % has no %', relation, wanted;
  END IF;
END $$;
CREATE FUNCTION create_reference_table(relation regclass) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION create_distributed_table(relation regclass, distribution_column text,
                                         colocate_with text DEFAULT 'default')
RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  PERFORM unique_keys_have(relation, distribution_column::name);
  IF colocate_with <> 'default' THEN PERFORM colocate_with::regclass; END IF;
END $$;
CREATE FUNCTION by_range(col name, width interval) RETURNS name LANGUAGE sql AS 'SELECT col';
CREATE FUNCTION create_hypertable(relation regclass, dimension name, create_default_indexes boolean)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE has_rows boolean;
BEGIN
  PERFORM unique_keys_have(relation, dimension);
  EXECUTE format('SELECT EXISTS (SELECT 1 FROM %s)', relation) INTO has_rows;
  IF has_rows OR (SELECT relkind FROM pg_class WHERE oid = relation) <> 'r' THEN
    RAISE '% is partitioned, or has rows', relation;
  END IF;
END $$;
"""


@pytest.fixture
def bare(
    postgres_database: Callable[[], str], django_db_blocker: DjangoDbBlocker
) -> Iterator[Stage]:
    """A database of the test's own, which it may turn inside out."""
    with django_db_blocker.unblock(), default_database(postgres_database()):
        call_command("migrate", verbosity=0)
        stage = Stage("postgresql")
        yield stage
        stage.close()


def execute(file: str) -> list[str]:
    """Run it with stand-ins; which extensions it wanted."""
    text = (DEPLOY / file).read_text()
    with psycopg.connect(**postgres_parameters(), autocommit=True) as db:
        db.execute(STAND_INS)
        db.execute(EXTENSION.sub("", text))
    return EXTENSION.findall(text)


def goes_on(stage: Stage) -> None:
    """A hub writes, seals, tells duplicates apart and takes late readings as before."""
    hub, device = stage.hub(), stage.device()
    sent = [(n * 10.0, float(n)) for n in range(30)]
    assert counts(hub.store(device, run("temperature", sent))) == (30, 0, 0)
    hub.seal_all(300)
    assert counts(hub.store(device, run("temperature", [*sent, (5.0, 1.0)]))) == (1, 30, 0)
    assert counts(hub.store(device, run("temperature", [(10.0, 7.0)]))) == (0, 0, 1)
    assert len(stored(device, "temperature")) == 31
    assert list(rollup_findings()) == []


def test_citus_may_distribute_every_table_that_its_file_names(bare: Stage) -> None:
    assert execute("citus.sql") == ["citus"]
    goes_on(bare)


def test_hypertables_take_the_readings_and_hubs_make_no_weeks_any_more(bare: Stage) -> None:
    device = bare.device("before")
    hub = bare.hub()
    hub.store(device, run("temperature", [(0.0, 1.0), (-1e9, 2.0)]), run("state", [(0, "on")]))
    assert execute("timescale.sql") == ["timescaledb"]
    assert stored(device, "temperature") == [(-1e9, 2.0), (0.0, 1.0)]
    goes_on(bare)
    with psycopg.connect(**postgres_parameters()) as db:
        assert partitions(db) == []


def test_a_table_whose_key_lacks_the_column_is_found_out(bare: Stage) -> None:
    with psycopg.connect(**postgres_parameters(), autocommit=True) as db:
        db.execute(STAND_INS)
        with pytest.raises(psycopg.errors.RaiseException, match="has no device_id"):
            db.execute("SELECT create_distributed_table('ingest_stream', 'device_id')")
