"""What a key may be used for. Apps add their scopes in AppConfig.ready()."""

from dataclasses import dataclass

from portal.errors import OperationError


@dataclass(frozen=True, slots=True)
class Scope:
    """`permission` is what a person needs in order to give this scope to a key."""

    name: str
    label: str
    kind: str
    permission: str


_scopes: dict[str, Scope] = {}


def register(scope: Scope) -> None:
    _scopes[scope.name] = scope


def scopes_for(kind: str) -> list[Scope]:
    return sorted((s for s in _scopes.values() if s.kind == kind), key=lambda s: s.name)


def check(names: list[str], kind: str) -> list[Scope]:
    """The scopes of these names, or OperationError that lists the possible ones."""
    possible = {scope.name: scope for scope in scopes_for(kind)}
    unknown = sorted(set(names) - possible.keys())
    if unknown or not names:
        problem = f"Unknown scopes: {', '.join(unknown)}." if unknown else "A key needs a scope."
        raise OperationError(f"{problem} Scopes of {kind} keys: {', '.join(possible)}.")
    return [possible[name] for name in sorted(set(names))]


for _scope in [
    Scope("ingest", "Send client events", "ingest", "access.manage_keys"),
    Scope("meetings:read", "Read meetings and events", "secret", "meetings.view_meeting"),
    Scope("events:export", "Export events in bulk", "secret", "meetings.export_events"),
    Scope("failures:read", "Read failures", "secret", "failures.view_failure"),
    Scope("failures:triage", "Acknowledge, resolve, mute", "secret", "failures.triage_failure"),
    Scope("metrics:read", "Read the portal's metrics", "secret", "access.manage_keys"),
]:
    register(_scope)
