from importlib import import_module

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

# Tells the schema how keys authenticate; processes without URLs need no schema.
import_module("portal.access.openapi")

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", admin.site.urls),
    path("api/v1/failures/", include("portal.failures.urls")),
    path("api/v1/", include("meetings.api_urls")),
    path("api/", include("portal.api_docs")),
    path("", include("meetings.urls")),
]

handler500 = "portal.api.server_error"
