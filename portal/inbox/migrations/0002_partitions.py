"""Deliveries in partitions by the day of storing. The first table becomes the one for all else."""

from django.db import migrations

# The body is compressed already, so PostgreSQL must not try again (EXTERNAL).
PARTITION = """
    ALTER TABLE inbox_delivery ALTER COLUMN id DROP IDENTITY;
    CREATE SEQUENCE inbox_delivery_id_seq AS bigint;
    ALTER TABLE inbox_delivery ALTER COLUMN id SET DEFAULT nextval('inbox_delivery_id_seq');
    ALTER TABLE inbox_delivery ALTER COLUMN body SET STORAGE EXTERNAL;
    ALTER TABLE inbox_delivery DROP CONSTRAINT inbox_delivery_pkey;
    DROP INDEX inbox_delivery_one_row_per_body, inbox_waiting, inbox_received, inbox_replays;

    ALTER TABLE inbox_delivery RENAME TO inbox_delivery_other;
    CREATE TABLE inbox_delivery (
        LIKE inbox_delivery_other INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE
    ) PARTITION BY RANGE (stored_on);
    ALTER SEQUENCE inbox_delivery_id_seq OWNED BY inbox_delivery.id;

    ALTER TABLE inbox_delivery ADD CONSTRAINT inbox_delivery_pkey PRIMARY KEY (id, stored_on);
    CREATE UNIQUE INDEX inbox_delivery_one_row_per_body
        ON inbox_delivery (door, digest, stored_on) WHERE replay_of_id IS NULL;
    CREATE INDEX inbox_waiting ON inbox_delivery (id) WHERE state = 'waiting';
    CREATE INDEX inbox_received ON inbox_delivery (received_at);
    CREATE INDEX inbox_replays ON inbox_delivery (replay_of_id) WHERE replay_of_id IS NOT NULL;
    ALTER TABLE inbox_delivery ATTACH PARTITION inbox_delivery_other DEFAULT;
"""


class Migration(migrations.Migration):

    dependencies = [("inbox", "0001_initial")]

    operations = [migrations.RunSQL(PARTITION, migrations.RunSQL.noop)]
