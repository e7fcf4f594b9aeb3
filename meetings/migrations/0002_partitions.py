"""Client events in partitions by the client's day. The first table becomes that of absurd clocks."""

from django.db import migrations

PARTITION = """
    ALTER TABLE meetings_clientevent ALTER COLUMN id DROP IDENTITY;
    CREATE SEQUENCE meetings_clientevent_id_seq AS bigint CACHE 50;
    ALTER TABLE meetings_clientevent
        ALTER COLUMN id SET DEFAULT nextval('meetings_clientevent_id_seq');
    ALTER TABLE meetings_clientevent DROP CONSTRAINT meetings_clientevent_pkey;
    ALTER TABLE meetings_clientevent DROP CONSTRAINT meetings_clientevent_natural_key;
    DROP INDEX meetings_event_newest, meetings_event_by_name, meetings_event_by_meeting;

    ALTER TABLE meetings_clientevent RENAME TO meetings_clientevent_other;
    CREATE TABLE meetings_clientevent (
        LIKE meetings_clientevent_other INCLUDING DEFAULTS INCLUDING CONSTRAINTS
    ) PARTITION BY RANGE (client_ms);
    ALTER SEQUENCE meetings_clientevent_id_seq OWNED BY meetings_clientevent.id;

    ALTER TABLE meetings_clientevent ADD CONSTRAINT meetings_clientevent_natural_key
        PRIMARY KEY (attendee_id, sequence, client_ms, name_id);
    CREATE INDEX meetings_event_newest ON meetings_clientevent (happened_at DESC, id DESC);
    CREATE INDEX meetings_event_by_name
        ON meetings_clientevent (name_id, happened_at DESC, id DESC);
    CREATE INDEX meetings_event_by_meeting
        ON meetings_clientevent (meeting_id, happened_at DESC, id DESC);
    ALTER TABLE meetings_clientevent ATTACH PARTITION meetings_clientevent_other DEFAULT;
"""


class Migration(migrations.Migration):

    dependencies = [("meetings", "0001_initial")]

    operations = [migrations.RunSQL(PARTITION, migrations.RunSQL.noop)]
