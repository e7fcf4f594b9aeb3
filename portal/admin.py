"""The admin site: the frame around all pages, the overview, search and preferences."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path

from portal import banner, navigation, overview, pages, preferences, search, zones
from portal.listing import PortalModelAdmin
from portal.navigation import NavItem
from portal.overview import register_panel
from portal.pages import register_page
from portal.style_guide import style_guide_page
from portal.timerange import PRESETS, TimeRange

__all__ = ["PortalModelAdmin", "PortalSite", "register_page", "register_panel", "render_page"]


class PortalSite(admin.AdminSite):
    site_header = site_title = "Greenroom"
    index_title = "Overview"
    site_url = None
    enable_nav_sidebar = False  # Django's own; the frame has its navigation

    def register(
        self,
        model_or_iterable: Any,
        admin_class: type[admin.ModelAdmin] | None = None,
        **options: Any,
    ) -> None:
        """Lay PortalModelAdmin under each ModelAdmin, so that all lists look and count alike."""
        admin_class = admin_class or PortalModelAdmin
        if not issubclass(admin_class, PortalModelAdmin):
            named = {"__module__": admin_class.__module__}
            admin_class = type(admin_class.__name__, (admin_class, PortalModelAdmin), named)
        super().register(model_or_iterable, admin_class, **options)

    def get_urls(self) -> list[Any]:
        own: list[URLPattern | URLResolver] = [
            path(page.path, self.admin_view(pages.guarded(page)), name=page.name)
            for page in pages.registered()
        ]
        return [*own, *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        context["theme"] = preferences.theme_of(request)
        if context["has_permission"]:
            context |= self.frame_context(request)
        return context

    def frame_context(self, request: HttpRequest) -> dict[str, Any]:
        timerange = TimeRange.of(request)
        return {
            "navigation": navigation.build(request, timerange.query_string),
            "person_pages": navigation.visible(request, navigation.PERSON),
            "timerange": timerange,
            "timerange_presets": PRESETS,
            "themes": preferences.THEMES,
            "zone": zones.of(request),
            "problems": banner.problems(),
        }

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        context = self.each_context(request)
        context["title"] = self.index_title
        context["panels"] = overview.render(request, context["timerange"])
        request.current_app = self.name
        return TemplateResponse(request, "admin/index.html", context | (extra_context or {}))


def render_page(
    request: HttpRequest, template: str, *, title: str, **context: Any
) -> TemplateResponse:
    """An own page in the frame. Its template extends admin/base_site.html."""
    frame = admin.site.each_context(request)
    return TemplateResponse(request, template, {**frame, "title": title, **context})


def search_page(request: HttpRequest) -> HttpResponse:
    """What the search box finds. A single exact hit is gone to at once."""
    text = search.clean(request.GET.get("q", ""))
    hits = search.find(text, request.user)
    if exact := search.only_exact(hits):
        return HttpResponseRedirect(exact.url)
    groups = search.grouped(hits)
    context = {"text": text, "search_text": text, "groups": groups}
    return render_page(request, "admin/search.html", title="Search", **context)


def preferences_page(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return preferences.save(request)
    return render_page(request, "admin/preferences.html", title="Preferences", zones=zones.names())


def tables_page(request: HttpRequest) -> HttpResponse:
    """The tables behind the pages, for those who look for one that no page shows."""
    return render_page(
        request, "admin/tables.html", title="All tables", app_list=_tables_of(request)
    )


def _tables_of(request: HttpRequest) -> list[dict[str, Any]]:
    """Two apps under one name, such as the worker's and its library's, stand in one block."""
    blocks: dict[str, dict[str, Any]] = {}
    for app in admin.site.get_app_list(request):
        block = blocks.setdefault(str(app["name"]), {"name": app["name"], "models": []})
        block["models"] += app["models"]
    return list(blocks.values())


register_page("search/", search_page, "search")
register_page("preferences/", preferences_page, "preferences")
register_page("tables/", tables_page, "tables")
if settings.DEBUG:
    register_page("style-guide/", style_guide_page, "style_guide")
navigation.register("Overview", NavItem("Overview", "admin:index", order=0))
navigation.register("Settings", NavItem("API", "api-docs", order=850))
navigation.register("Settings", NavItem("All tables", "admin:tables", order=900))
