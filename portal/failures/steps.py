"""What the buttons on the pages do."""

from collections.abc import Callable
from datetime import timedelta
from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from portal.access.models import User
from portal.admin import render_page
from portal.errors import OperationError
from portal.failures import services
from portal.failures.models import Action, Failure, TriageNote, opening
from portal.failures.services import Actor
from portal.failures.undo import make_offer

MUTES = {
    "1h": ("1 hour", timedelta(hours=1)),
    "1d": ("1 day", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
}
_MOST_AT_ONCE = 200

_AFTER = {
    Action.ACKNOWLEDGE: "acknowledged",
    Action.RESOLVE: "resolved",
    Action.REOPEN: "reopened",
    Action.MUTE: "muted",
    Action.UNMUTE: "no longer muted",
    Action.ASSIGN: "assigned",
}

Step = Callable[[Failure, Actor, QueryDict, int | None], TriageNote]


@require_POST
def triage_one(request: HttpRequest, pk: int) -> HttpResponse:
    failure = get_object_or_404(Failure, pk=pk)
    try:
        step = _step(request.POST.get("step", ""))
        note = step(failure, actor_of(request), request.POST, _number(request.POST.get("revision")))
    except OperationError as error:
        messages.error(request, str(error))
    else:
        if note.action == Action.NOTE:
            messages.success(request, "Note added.")
        else:
            make_offer(request, f"This failure is {_told(note)}.", [note])
    return _back(request, reverse("admin:failure", args=[pk]))


@require_POST
def triage_many(request: HttpRequest) -> HttpResponse:
    """One step for all selected failures; each stands for itself."""
    name = request.POST.get("step", "")
    seen = _selected(request.POST)
    failures = list(Failure.objects.filter(pk__in=seen).order_by("-last_seen_at"))
    if not failures:
        messages.error(request, "Select at least one failure first.")
        return _back(request, reverse("admin:failures"))
    if name == "resolve" and len(failures) > 1 and "confirmed" not in request.POST:
        return render_page(
            request,
            "failures/confirm.html",
            title=f"Resolve {len(failures)} failures?",
            failures=[(failure, f"{failure.pk}:{seen[failure.pk]}") for failure in failures],
            back=_next(request, reverse("admin:failures")),
        )
    _take_all(request, name, failures, seen)
    return _back(request, reverse("admin:failures"))


def _take_all(
    request: HttpRequest, name: str, failures: list[Failure], seen: dict[int, int | None]
) -> None:
    notes = []
    for failure in failures:
        try:
            step = _step(name)
            notes.append(step(failure, actor_of(request), request.POST, seen[failure.pk]))
        except OperationError as error:
            messages.error(request, f"{failure}: {error}")
    if notes:
        count = "1 failure is" if len(notes) == 1 else f"{len(notes)} failures are"
        make_offer(request, f"{count} {_told(notes[0])}.", notes)


@require_POST
def undo_steps(request: HttpRequest) -> HttpResponse:
    pks = [number for text in request.POST.getlist("note") if (number := _number(text))]
    notes = TriageNote.objects.filter(pk__in=pks[:_MOST_AT_ONCE]).select_related("failure")
    undone = 0
    for note in notes:
        try:
            services.undo(note, actor_of(request))
            undone += 1
        except OperationError as error:
            messages.error(request, f"{note.failure}: {error}")
    if undone:
        messages.success(request, "Taken back.")
    return _back(request, reverse("admin:failures"))


def actor_of(request: HttpRequest) -> Actor:
    user = cast(User, request.user)
    return Actor(user.get_username(), user, request)


def _step(name: str) -> Step:
    if step := _STEPS.get(name):
        return step
    raise OperationError("This step is not known. Reload the page and try again.")


def _acknowledge(failure: Failure, actor: Actor, data: QueryDict, seen: int | None) -> TriageNote:
    return services.acknowledge(failure, actor, seen=seen)


def _resolve(failure: Failure, actor: Actor, data: QueryDict, seen: int | None) -> TriageNote:
    return services.resolve(failure, actor, in_version=data.get("in_version", ""), seen=seen)


def _reopen(failure: Failure, actor: Actor, data: QueryDict, seen: int | None) -> TriageNote:
    return services.reopen(failure, actor, seen=seen)


def _mute_for(length: timedelta) -> Step:
    def mute(failure: Failure, actor: Actor, data: QueryDict, seen: int | None) -> TriageNote:
        return services.mute(failure, actor, until=timezone.now() + length, seen=seen)

    return mute


def _unmute(failure: Failure, actor: Actor, data: QueryDict, seen: int | None) -> TriageNote:
    return services.unmute(failure, actor, seen=seen)


def _take(failure: Failure, actor: Actor, data: QueryDict, seen: int | None) -> TriageNote:
    return services.assign(failure, actor, owner=actor.user, seen=seen)


def _assign(failure: Failure, actor: Actor, data: QueryDict, seen: int | None) -> TriageNote:
    number = _number(data.get("owner"))
    owner = User.objects.filter(pk=number).first() if number else None
    if number and owner is None:
        raise OperationError("This person does not exist any more. Choose somebody else.")
    return services.assign(failure, actor, owner=owner, seen=seen)


def _note(failure: Failure, actor: Actor, data: QueryDict, seen: int | None) -> TriageNote:
    return services.add_note(failure, actor, text=data.get("text", ""))


_STEPS: dict[str, Step] = {
    "acknowledge": _acknowledge,
    "resolve": _resolve,
    "reopen": _reopen,
    "unmute": _unmute,
    "take": _take,
    "assign": _assign,
    "note": _note,
    **{f"mute-{name}": _mute_for(length) for name, (_, length) in MUTES.items()},
}


def _told(note: TriageNote) -> str:
    words = _AFTER[Action(note.action)]
    if note.action == Action.RESOLVE:
        version = note.text.removeprefix("in version ")
        return f"{words}. A resolved failure opens again {opening(version)}"
    return f"{words} {note.text}" if note.action in {Action.MUTE, Action.ASSIGN} else words


def _selected(data: QueryDict) -> dict[int, int | None]:
    """Each checkbox says which failure it is, and in which revision the person saw it."""
    seen: dict[int, int | None] = {}
    for text in data.getlist("selected")[:_MOST_AT_ONCE]:
        first, _, second = text.partition(":")
        if number := _number(first):
            seen[number] = _number(second)
    return seen


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 18 else None


def _next(request: HttpRequest, otherwise: str) -> str:
    url = request.POST.get("next", "")
    own = url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure())
    return url if own else otherwise


def _back(request: HttpRequest, otherwise: str) -> HttpResponse:
    return HttpResponseRedirect(_next(request, otherwise))
