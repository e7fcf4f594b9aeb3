"""What sorts of failures there are. Each app registers its own when it starts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from portal.failures.models import Failure


@dataclass(frozen=True, slots=True)
class Kind:
    """``advice`` tells the operator what to try first, in a sentence or two.

    ``occurrences_url`` leads to the app's own page that lists everything behind a failure.
    """

    slug: str
    label: str
    advice: str = ""
    occurrences_url: Callable[["Failure"], str] | None = None


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    if _kinds.setdefault(kind.slug, kind) != kind:
        raise ImproperlyConfigured(f"Two apps register the kind of failure {kind.slug!r}.")


def kind_of(slug: str) -> Kind:
    """A kind nobody registers (any more) is still shown, under a name made from its slug."""
    if known := _kinds.get(slug):
        return known
    words = slug.rpartition(".")[2].replace("_", " ").replace("-", " ").strip()
    return Kind(slug, words.capitalize() or "Failure")
