"""The API of failures: read them, and triage them from elsewhere."""

from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
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

    @extend_schema(operation_id="failures_list", parameters=[SelectionSerializer])
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

    @extend_schema(operation_id="failures_retrieve", responses=FailureSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(FailureSerializer(_find(pk)).data)


class OccurrenceListView(ListAPIView[Occurrence]):
    """The occurrences of a failure, the newest first."""

    required_scope = "failures:read"
    required_permission = "failures.view_failure"
    serializer_class = OccurrenceSerializer
    pagination_class = OccurrenceCursor
    queryset = Occurrence.objects.all()

    @extend_schema(operation_id="failures_occurrences_list")
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
    asks: ClassVar[type[BaseSerializer[Any]]] = StepSerializer

    def post(self, request: Request, pk: int) -> Response:
        asked = self.asks(data=request.data)
        asked.is_valid(raise_exception=True)
        values = dict(asked.validated_data)
        failure = _find(pk)
        self.take(failure, _actor(request), values, values.pop("revision", None))
        return Response(FailureSerializer(failure).data)

    def take(
        self, failure: Failure, actor: Actor, values: dict[str, Any], seen: int | None
    ) -> None:
        raise NotImplementedError


_REFUSED = OpenApiResponse(description="Somebody was faster. Read the failure again, then decide.")
_ANSWERS = {200: FailureSerializer, 409: _REFUSED}


@extend_schema(operation_id="failures_acknowledge", request=StepSerializer, responses=_ANSWERS)
class AcknowledgeView(StepView):
    def take(
        self, failure: Failure, actor: Actor, values: dict[str, Any], seen: int | None
    ) -> None:
        services.acknowledge(failure, actor, seen=seen)


@extend_schema(operation_id="failures_resolve", request=ResolveSerializer, responses=_ANSWERS)
class ResolveView(StepView):
    asks = ResolveSerializer

    def take(
        self, failure: Failure, actor: Actor, values: dict[str, Any], seen: int | None
    ) -> None:
        services.resolve(failure, actor, in_version=values["in_version"], seen=seen)


@extend_schema(operation_id="failures_mute", request=MuteSerializer, responses=_ANSWERS)
class MuteView(StepView):
    asks = MuteSerializer

    def take(
        self, failure: Failure, actor: Actor, values: dict[str, Any], seen: int | None
    ) -> None:
        services.mute(failure, actor, until=values["until"], seen=seen)


@extend_schema(operation_id="failures_reopen", request=StepSerializer, responses=_ANSWERS)
class ReopenView(StepView):
    def take(
        self, failure: Failure, actor: Actor, values: dict[str, Any], seen: int | None
    ) -> None:
        services.reopen(failure, actor, seen=seen)


def _find(pk: int) -> Failure:
    return get_object_or_404(Failure.objects.select_related("owner"), pk=pk)


def _actor(request: Request) -> Actor:
    if isinstance(request.auth, ApiKey):
        return Actor(f"Key {request.auth.name}", None, request._request)  # noqa: SLF001 - DRF's way
    user = cast(User, request.user)  # ScopeOrPermission lets nobody else in
    return Actor(user.get_username(), user, request._request)  # noqa: SLF001 - DRF's way
