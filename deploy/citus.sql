-- Distributes Weir's readings over the nodes of a Citus cluster, by series. Once, on the coordinator,
-- after `manage.py migrate`, while no hub runs:
--
--     psql --set ON_ERROR_STOP=1 "$DATABASE_URL" --file deploy/citus.sql
--
-- What a series has, readings and rollups, is on one node: keys begin with the series, so a unique
-- key holds within a shard. Streams go by their device. What is small and asked about from
-- everywhere stays whole. What was tried of this on a real cluster, and what was only held against
-- Citus's published rules, is told in docs/decisions/partitions.md.

CREATE EXTENSION IF NOT EXISTS citus;

-- Those that others refer to come first: a foreign key may lead to a table that every node has.
SELECT create_reference_table('devices_device');
SELECT create_reference_table('devices_series');

-- Partitions go with their table, and so do those that hubs attach later.
SELECT create_distributed_table('ingest_reading', 'series_id');
SELECT create_distributed_table('ingest_textreading', 'series_id', colocate_with => 'ingest_reading');
SELECT create_distributed_table('ingest_rollup', 'series_id', colocate_with => 'ingest_reading');
