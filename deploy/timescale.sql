-- Makes hypertables of TimescaleDB of Weir's readings, in place of PostgreSQL's own partitions. Once,
-- after `manage.py migrate`, while no hub runs; there is a copy of all readings until it ends:
--
--     psql --set ON_ERROR_STOP=1 --single-transaction "$DATABASE_URL" --file deploy/timescale.sql
--
-- The key (series, time) has the time that chunks are cut by, as a unique key of a hypertable must.
-- A table that is partitioned already cannot become a hypertable, so the readings are copied. Hubs
-- see that PostgreSQL does not partition these tables, and make no weeks. This was held against
-- TimescaleDB's published rules, and not run: docs/decisions/partitions.md.

CREATE EXTENSION IF NOT EXISTS timescaledb;

CREATE TABLE readings_in_chunks (LIKE ingest_reading INCLUDING ALL);
SELECT create_hypertable('readings_in_chunks', by_range('time', INTERVAL '1 week'), create_default_indexes => FALSE);
INSERT INTO readings_in_chunks (series_id, time, value) SELECT series_id, time, value FROM ingest_reading;
DROP TABLE ingest_reading;
ALTER TABLE readings_in_chunks RENAME TO ingest_reading;

CREATE TABLE texts_in_chunks (LIKE ingest_textreading INCLUDING ALL);
SELECT create_hypertable('texts_in_chunks', by_range('time', INTERVAL '1 week'), create_default_indexes => FALSE);
INSERT INTO texts_in_chunks (series_id, time, value) SELECT series_id, time, value FROM ingest_textreading;
DROP TABLE ingest_textreading;
ALTER TABLE texts_in_chunks RENAME TO ingest_textreading;
