"""The meetingHistory that clients attach to their events, in its three spellings."""

from meetings.formats.attributes import shorten
from meetings.formats.json_input import decode
from meetings.formats.reading import JSON, HistoryEntry, UnreadableError
from meetings.formats.timestamps import claimed_ms
from meetings.vocabulary import event_name


class HistoryReader:
    """Reads the histories of one body.

    Every event of a body tends to repeat the whole history, so entries are shared: the cost of a
    body grows with its size, its memory with the number of different entries.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, JSON], HistoryEntry] = {}

    def read(self, history: JSON) -> tuple[HistoryEntry, ...]:
        """The entries that can be read. Others are left out."""
        if isinstance(history, str):
            return self._from_text(history.strip())
        if not isinstance(history, list):
            return ()
        entries = []
        for item in history:
            if not isinstance(item, dict):
                continue
            name = item.get("name") or item.get("meetingHistoryEventName")
            at = item.get("timestampMs", item.get("timestamp"))
            if isinstance(name, str) and name and not isinstance(at, dict | list | bool):
                entries.append(self._entry(name, at))
        return tuple(entries)

    def _entry(self, name: str, at: JSON) -> HistoryEntry:
        known = self._entries.get((name, at))
        if known is None:
            known = HistoryEntry(event_name(name), claimed_ms(at))
            self._entries[name, at] = known
        return known

    def _from_text(self, text: str) -> tuple[HistoryEntry, ...]:
        """From JSON in a string, or "[audioInputSelected: 1612166400000, …]" of the iOS guide."""
        if text.startswith("[{"):
            try:
                decoded = decode(text.encode())
            except UnreadableError:
                return ()
            return self.read(decoded)
        entries = []
        for piece in text.strip("[]").split(","):
            name, _, at = piece.partition(":")
            name = name.strip(" \"'")
            if name and claimed_ms(at) is not None:
                entries.append(self._entry(name, at.strip()))
        return tuple(entries)


def unread_text(history: JSON, entries: tuple[HistoryEntry, ...]) -> str:
    """What to keep of a history in a string that yielded nothing."""
    return shorten(history) if isinstance(history, str) and not entries else ""
