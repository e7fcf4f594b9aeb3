"""Typed, loud reading of the environment. Only `portal.settings` uses it."""

from collections.abc import Mapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


class Env:
    """Read settings from a mapping of strings. A value that cannot be read stops the start."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, "").strip() or default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or False, spelled exactly so: `DEBUG=no` must not silently mean yes."""
        value = self.text(name, str(default))
        if value not in {"True", "False"}:
            raise ImproperlyConfigured(f"{name} must be True or False, not {value!r}.")
        return value == "True"

    def number(
        self, name: str, default: int, *, minimum: int = 0, maximum: int | None = None
    ) -> int:
        value = self.text(name, str(default))
        try:
            number = int(value)
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None
        if number < minimum:
            raise ImproperlyConfigured(f"{name} must be at least {minimum}, not {number}.")
        if maximum is not None and number > maximum:
            raise ImproperlyConfigured(f"{name} must be at most {maximum}, not {number}.")
        if maximum is not None and number > maximum:
            raise ImproperlyConfigured(f"{name} must be at most {maximum}, not {number}.")
        return number

    def fraction(self, name: str, default: float) -> float:
        value = self.text(name, str(default))
        try:
            fraction = float(value)
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be a number, not {value!r}.") from None
        if not 0 <= fraction <= 1:
            raise ImproperlyConfigured(f"{name} must lie between 0 and 1, not {value}.")
        return fraction

    def choice(self, name: str, default: str, *others: str) -> str:
        value = self.text(name, default)
        if value not in (default, *others):
            allowed = " or ".join((default, *others))
            raise ImproperlyConfigured(f"{name} must be {allowed}, not {value!r}.")
        return value

    def words(self, name: str, default: str = "") -> list[str]:
        """A list separated by commas."""
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def path(self, name: str, default: Path) -> Path:
        return Path(self.text(name, str(default))).expanduser().resolve()
