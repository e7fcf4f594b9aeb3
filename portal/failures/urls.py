from django.urls import path

from portal.failures import views

urlpatterns = [
    path("", views.FailureListView.as_view(), name="api-failures"),
    path("<int:pk>/", views.FailureView.as_view(), name="api-failure"),
    path("<int:pk>/occurrences/", views.OccurrenceListView.as_view(), name="api-occurrences"),
    path("<int:pk>/acknowledge/", views.AcknowledgeView.as_view(), name="api-failure-acknowledge"),
    path("<int:pk>/resolve/", views.ResolveView.as_view(), name="api-failure-resolve"),
    path("<int:pk>/mute/", views.MuteView.as_view(), name="api-failure-mute"),
    path("<int:pk>/reopen/", views.ReopenView.as_view(), name="api-failure-reopen"),
]
