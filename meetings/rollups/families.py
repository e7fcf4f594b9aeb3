"""By what sums stand apart: a dashboard filtered by one thing finds its figures ready."""

from collections.abc import Iterable

# Everything that a figure may be asked for, in the order of the columns.
COLUMNS = (
    "platform",
    "sdk_name",
    "sdk_version",
    "browser_name",
    "browser_major",
    "os_name",
    "os_version",
    "region",
)
KIND_COLUMNS = COLUMNS[:-1]
_SDK = ("platform", "sdk_name")

# From few rows to many. Beyond the first all keep SDKs apart, as a chart does.
FAMILIES: dict[str, tuple[str, ...]] = {
    "all": (),
    "sdk": _SDK,
    "region": (*_SDK, "region"),
    "os": (*_SDK, "os_name"),
    "browser": (*_SDK, "browser_name"),
    "version": (*_SDK, "sdk_version"),
    "major": (*_SDK, "browser_name", "browser_major"),
    "kind": COLUMNS,
}
# Of 300 s the cells themselves are there.
CELLS = "kind"


def family_for(columns: Iterable[str]) -> str:
    """The family with the fewest rows that tells these columns apart."""
    wanted = set(columns)
    return next(name for name, kept in FAMILIES.items() if wanted <= set(kept))
