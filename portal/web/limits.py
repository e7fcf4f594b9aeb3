"""How much, how long and how many: what one process takes from its clients."""

from django.conf import settings

_MIB = 1024 * 1024

CONNECTIONS = 1000
# A request must have arrived whole after this long, however slowly it trickles in.
RECEIVE_SECONDS = 120.0
HEAD_SECONDS = 30.0
IDLE_SECONDS = 60.0
# A client that takes nothing of its answer for so long is gone.
STUCK_SECONDS = 120.0
# One that has been sending for this long makes room when there are too many.
SLOW_SECONDS = 10.0
# After a refusal what still comes is thrown away for a moment: closing at once would take the
# answer from a client that is still sending.
LINGER_SECONDS = 2.0
LINGER_BYTES = 4 * _MIB

HEAD_BYTES = 64 * 1024
# Sizes of chunks, their extensions and trailers, beside the body itself.
CHUNK_OVERHEAD_BYTES = 4 * _MIB
# Of the bodies of one connection; one that is beyond waits in a temporary file. Each connection has
# its own allowance, so that many slow ones cannot send the bodies of others to the disk.
IN_MEMORY_BYTES = 256 * 1024
# Of all temporary files at one time; beyond, a body is refused for now.
ALL_ON_DISK_BYTES = 1024 * _MIB
# Requests that a client may send ahead of the answers.
PIPELINED = 32

# When stopping.
FINISH_SECONDS = 8.0
FINISH_RECEIVING_SECONDS = 2.0


def largest_body() -> int:
    """Beyond what any door takes, so that a door's own answer tells how much it takes.

    Not far beyond: a body waits on disk before anybody has looked at the key it came with.
    """
    return max(16 * _MIB, settings.INGEST_MAX_BYTES + _MIB)
