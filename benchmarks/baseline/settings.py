"""Settings of the baseline: an ordinary project, trimmed where that is ordinary too."""

import os

SECRET_KEY = "not a secret: serves a benchmark on this machine"  # noqa: S105
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["benchmarks.baseline.apps.BaselineConfig"]
# Says how long an answer is, without which the server would end the connection after each one.
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "benchmarks.baseline.urls"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["BASELINE_HOST"],
        "NAME": os.environ["BASELINE_NAME"],
        "USER": os.environ["BASELINE_USER"],
        "CONN_MAX_AGE": None,  # a connection for each request would cost more than all the rest
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": None,
}
