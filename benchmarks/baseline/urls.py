from django.urls import path

from benchmarks.baseline.views import EventsView

urlpatterns = [path("events", EventsView.as_view())]
