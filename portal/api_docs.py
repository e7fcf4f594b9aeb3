"""/api/schema/ and /api/docs/: for staff, under the same strict CSP as all pages."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import IsAdminUser

from portal import schema  # noqa: F401 - tells drf-spectacular about keys and doors

_STAFF: dict[str, Any] = {"permission_classes": [IsAdminUser]}

urlpatterns = [
    path("schema/", login_required(SpectacularAPIView.as_view(**_STAFF)), name="schema"),
    path(
        "docs/",
        login_required(
            SpectacularSwaggerSplitView.as_view(template_name="api/docs.html", **_STAFF)
        ),
        name="api-docs",
    ),
]
