"""The roles: who may do what. This table is the truth; the database follows it after migrate.

A permission that no installed app declares is skipped. Administrators are not superusers: they
manage people and keys, and can give away only what they have themselves.
"""

from django.apps import apps as installed
from django.apps.config import AppConfig
from django.apps.registry import Apps
from django.contrib.auth.models import Group, Permission

VIEWER = "Viewer"
OPERATOR = "Operator"
PRIVACY = "Privacy"
ADMINISTRATOR = "Administrator"

_SEE = {
    "failures.view_affectedperson",
    "failures.view_failure",
    "failures.view_occurrence",
    "failures.view_triagenote",
    "inbox.view_delivery",
    "inbox.view_quarantine",
    "meetings.view_attendee",
    "meetings.view_client",
    "meetings.view_clientevent",
    "meetings.view_eventname",
    "meetings.view_meeting",
    "meetings.view_meetingstatus",
    "polling.view_heartbeat",
}
_ACT = {
    "failures.triage_failure",
    "inbox.discard_quarantine",
    "inbox.replay_quarantine",
    "inbox.view_raw",  # what is in quarantine cannot be judged unread
}
_PERSONAL_DATA = {
    "access.view_auditevent",
    "inbox.view_raw",
    "meetings.export_events",
}
_MANAGE = {
    "access.add_user",
    "access.change_user",
    "access.manage_keys",
    "access.view_apikey",
    "access.view_signinattempt",
    "access.view_user",
    "auth.view_group",
}

ROLES: dict[str, set[str]] = {
    VIEWER: _SEE,
    OPERATOR: _SEE | _ACT,
    PRIVACY: _SEE | _PERSONAL_DATA,
    ADMINISTRATOR: _SEE | _ACT | _PERSONAL_DATA | _MANAGE,
}

DESCRIPTIONS = {
    VIEWER: "Sees meetings, failures and deliveries. Changes nothing.",
    OPERATOR: "Also triages failures, and reviews, replays and discards what is in quarantine.",
    PRIVACY: "Sees what viewers see, reads raw bodies and the audit trail, and exports events.",
    ADMINISTRATOR: "Everything the others can, and manages people and API keys.",
}


def sync_roles(sender: AppConfig | None = None, apps: Apps = installed, **_: object) -> None:
    """Make the groups what the table says. Django calls it for each app after migrate.

    Done once, for the last app: by then all other apps have their permissions.
    """
    with_models = [config for config in installed.get_app_configs() if config.models_module]
    if sender is not None and sender != with_models[-1]:
        return
    try:
        apps.get_model("auth", "Permission")
    except LookupError:
        return  # a partial migration: the tables are not there yet
    known = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    for name, wanted in ROLES.items():
        group, _created = Group.objects.get_or_create(name=name)
        group.permissions.set([known[key] for key in sorted(wanted & known.keys())])
