"""The audit trail can be added to, and nothing else.

TRUNCATE stays possible: only the table's owner may do it, and tests empty tables with it.
"""

from django.db import migrations

REFUSE = """
CREATE FUNCTION access_auditevent_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit trail is append-only: % refused.', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER access_auditevent_append_only
    BEFORE UPDATE OR DELETE ON access_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION access_auditevent_refuse();
"""

ALLOW = """
DROP TRIGGER access_auditevent_append_only ON access_auditevent;
DROP FUNCTION access_auditevent_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
