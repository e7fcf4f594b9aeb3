"""The portal's URLs, and views that show what authentication, permissions and errors do."""

from typing import ClassVar

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404
from django.urls import include, path
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.access.authentication import IngestKeyAuthentication
from portal.access.permissions import IngestAllowed
from portal.errors import ConflictError, UpstreamError

FAULTS: dict[str, Exception] = {
    "conflict": ConflictError("It has ended."),
    "upstream": UpstreamError(),
    "database": OperationalError("server closed the connection"),
    "missing": Http404(),
    "denied": PermissionDenied("Only on Sundays."),
    "fields": exceptions.ValidationError({"name": ["Give it a name."]}),
    "list": exceptions.ValidationError(["Nothing to do."]),
    "unsupported": exceptions.UnsupportedMediaType("text/html"),
    "fault": ZeroDivisionError(),
}


class ReadView(APIView):
    required_scope: ClassVar[str] = "meetings:read"
    required_permission: ClassVar[str] = "meetings.view_meeting"

    def get(self, request: Request) -> Response:
        return Response({})

    def post(self, request: Request) -> Response:
        return Response({})


class UndeclaredView(APIView):
    def get(self, request: Request) -> Response:
        return Response({})


class DoorView(APIView):
    authentication_classes = [IngestKeyAuthentication]
    permission_classes = [IngestAllowed]

    def post(self, request: Request, key: str = "") -> Response:
        return Response({})


class FaultView(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request, name: str) -> Response:
        raise FAULTS[name]


urlpatterns = [
    path("try/read/", ReadView.as_view()),
    path("try/undeclared/", UndeclaredView.as_view()),
    path("try/door/", DoorView.as_view()),
    path("try/door/<str:key>/", DoorView.as_view()),
    path("try/fault/<str:name>/", FaultView.as_view()),
    path("", include("portal.urls")),
]
