"""The API of failures: read them, and triage them from elsewhere."""

from collections.abc import Callable
from typing import Any, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.access.models import ApiKey, User
from portal.failures import services
from portal.failures.listing import Selection
from portal.failures.models import Failure, Occurrence
from portal.failures.serializers import (
    FailureSerializer,
    MuteSerializer,
    OccurrenceSerializer,
    ResolveSerializer,
    SelectionSerializer,
    StepSerializer,
)
from portal.failures.services import Actor


class FailureCursor(CursorPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = ("-last_seen_at", "-id")


class OccurrenceCursor(FailureCursor):
    ordering = ("-happened_at", "-id")


class FailureListView(ListAPIView[Failure]):
    """Failures, the latest first."""

    required_scope = "failures:read"
    required_permission = "failures.view_failure"
    serializer_class = FailureSerializer
    pagination_class = FailureCursor
    queryset = Failure.objects.select_related("owner")

    @extend_schema(
        operation_id="failures_list",
        summary="List failures",
        tags=["failures"],
        parameters=[SelectionSerializer],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Failure]:
        asked = SelectionSerializer(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        chosen = Selection(
            tab=values["state"],
            kind=values.get("kind", ""),
            version=values.get("version", ""),
            text=values.get("q", ""),
        )
        return chosen.failures(None, timezone.now()).select_related("owner")


class FailureView(APIView):
    """One failure."""

    required_scope = "failures:read"
    required_permission = "failures.view_failure"

    @extend_schema(
        operation_id="failures_retrieve",
        summary="Get failure",
        tags=["failures"],
        responses=FailureSerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(FailureSerializer(_find(pk)).data)


class OccurrenceListView(ListAPIView[Occurrence]):
    """The occurrences of a failure, the newest first."""

    required_scope = "failures:read"
    required_permission = "failures.view_failure"
    serializer_class = OccurrenceSerializer
    pagination_class = OccurrenceCursor
    queryset = Occurrence.objects.all()

    @extend_schema(
        operation_id="failures_occurrences_list",
        summary="List occurrences of a failure",
        tags=["failures"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Occurrence]:
        if getattr(self, "swagger_fake_view", False):
            return Occurrence.objects.none()
        return Occurrence.objects.filter(failure=_find(self.kwargs["pk"]))


class StepView(APIView):
    """A step of triage. Answers the failure as it is afterwards."""

    required_scope = "failures:triage"
    required_permission = "failures.triage_failure"


_REFUSED = OpenApiResponse(description="Somebody was faster. Read the failure again, then decide.")
_ANSWERS = {200: FailureSerializer, 409: _REFUSED}


class AcknowledgeView(StepView):
    """Somebody looks after it now."""

    @extend_schema(
        operation_id="failures_acknowledge",
        summary="Acknowledge a failure",
        tags=["failures"],
        request=StepSerializer,
        responses=_ANSWERS,
    )
    def post(self, request: Request, pk: int) -> Response:
        return _take(request, pk, StepSerializer, services.acknowledge)


class ResolveView(StepView):
    """It is mended. It opens again if it happens again (in the named version or a later one)."""

    @extend_schema(
        operation_id="failures_resolve",
        summary="Resolve a failure",
        tags=["failures"],
        request=ResolveSerializer,
        responses=_ANSWERS,
    )
    def post(self, request: Request, pk: int) -> Response:
        return _take(request, pk, ResolveSerializer, services.resolve)


class MuteView(StepView):
    """Silence it for a while."""

    @extend_schema(
        operation_id="failures_mute",
        summary="Mute a failure",
        tags=["failures"],
        request=MuteSerializer,
        responses=_ANSWERS,
    )
    def post(self, request: Request, pk: int) -> Response:
        return _take(request, pk, MuteSerializer, services.mute)


class ReopenView(StepView):
    """It is not mended, or nobody looks after it any more."""

    @extend_schema(
        operation_id="failures_reopen",
        summary="Reopen a failure",
        tags=["failures"],
        request=StepSerializer,
        responses=_ANSWERS,
    )
    def post(self, request: Request, pk: int) -> Response:
        return _take(request, pk, StepSerializer, services.reopen)


def _take(
    request: Request, pk: int, asks: type[StepSerializer], step: Callable[..., object]
) -> Response:
    """Take a step of portal.failures.services; the body's other fields are its options."""
    asked = asks(data=request.data)
    asked.is_valid(raise_exception=True)
    options = dict(asked.validated_data)
    seen = options.pop("revision", None)
    failure = _find(pk)
    step(failure, _actor(request), seen=seen, **options)
    return Response(FailureSerializer(failure).data)


def _find(pk: int) -> Failure:
    return get_object_or_404(Failure.objects.select_related("owner"), pk=pk)


def _actor(request: Request) -> Actor:
    if isinstance(request.auth, ApiKey):
        return Actor(f"Key {request.auth.name}", None, request._request)  # noqa: SLF001 - DRF's way
    user = cast(User, request.user)  # ScopeOrPermission lets nobody else in
    return Actor(user.get_username(), user, request._request)  # noqa: SLF001 - DRF's way
