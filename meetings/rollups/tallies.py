"""The columns of a tally, and the statements that make tallies of facts and add them up."""

from collections.abc import Sequence

from meetings import vocabulary
from meetings.rollups.families import KIND_COLUMNS
from meetings.rollups.histogram import LOG_RATIO

# What is counted of which event.
COUNTED = {
    vocabulary.JOIN_REQUESTED: "requested",
    vocabulary.JOIN_SUCCEEDED: "succeeded",
    vocabulary.JOIN_FAILED: "failed",
    vocabulary.DROPPED: "dropped",
    vocabulary.AUDIO_FAILED: "audio_failed",
    vocabulary.VIDEO_FAILED: "video_failed",
}
NAMES = list(COUNTED)
# By what people are counted who had trouble with it.
TROUBLE = {
    vocabulary.DROPPED: ("dropped",),
    vocabulary.AUDIO_FAILED: ("audio", "device"),
    vocabulary.VIDEO_FAILED: ("video", "device"),
}
METRICS = ("dropped", "audio", "video", "device")
PEOPLE = tuple(f"people_{metric}" for metric in METRICS)
COUNTS = (*COUNTED.values(), *PEOPLE)
TALLY = (*COUNTS, "bins", "upto")

_IS_TIMED = f"""
    n.value = '{vocabulary.JOIN_SUCCEEDED}'
    AND e.start_duration_ms > 0 AND e.start_duration_ms < 'infinity'
"""
# One bin of one value each, as rollups.histogram has it.
_OF_FACT = f"""
    {", ".join(f"(n.value = '{name}')::integer AS {count}" for name, count in COUNTED.items())},
    {", ".join(f"0 AS {column}" for column in PEOPLE)},
    CASE WHEN {_IS_TIMED} THEN ARRAY[floor(ln(e.start_duration_ms) / {LOG_RATIO!r})::integer]
        ELSE '{{}}' END AS bins,
    CASE WHEN {_IS_TIMED} THEN '{{1}}'::bigint[] ELSE '{{}}' END AS upto
"""


# Looked up row by row: a stretch has few, whatever the planner believes.
REGION_OF_EVENT = "(SELECT m.media_region FROM meetings_meeting m WHERE m.id = e.meeting_id)"


def facts(columns: str, where: str, *, joins: str = "") -> str:
    """A SELECT of tallies of single events: `columns` and what each event counts for.

    e is the event, c its client. Takes the parameters `names`, and `starts` and `ends` of the
    stretches of time that are wanted.
    """
    return f"""
        SELECT {columns}, {_OF_FACT}
        FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS stretch (first, last)
        CROSS JOIN LATERAL (
            SELECT * FROM meetings_clientevent event
            WHERE event.happened_at >= stretch.first AND event.happened_at < stretch.last
                AND event.name_id = ANY(ARRAY(
                    SELECT id FROM meetings_eventname WHERE value = ANY(%(names)s::text[])))
            OFFSET 0
        ) AS e
        JOIN meetings_eventname n ON n.id = e.name_id
        JOIN meetings_client c ON c.id = e.client_id
        {joins}
        WHERE NOT (SELECT a.is_bot FROM meetings_attendee a WHERE a.id = e.attendee_id) AND {where}
    """  # noqa: S608 - parts of our own


_OF_TROUBLE = f"""
    {", ".join(f"0 AS {count}" for count in COUNTED.values())},
    {", ".join(f"(t.metric = '{one}')::integer AS people_{one}" for one in METRICS)},
    '{{}}'::integer[] AS bins, '{{}}'::bigint[] AS upto
"""


MEETING_OF_TROUBLE = "JOIN meetings_meeting m ON m.id = t.meeting_id"


def people(
    columns: str, where: str, *, trouble: str = "meetings_rolluptrouble t", joins: str = ""
) -> str:
    """A SELECT of tallies of people with simple trouble: t is the trouble, k the kind of client."""
    return f"""
        SELECT {columns}, {_OF_TROUBLE}
        FROM {trouble}
        JOIN meetings_clientkind k ON k.id = t.kind_id
        {joins}
        WHERE t.is_simple AND {where}
    """  # noqa: S608 - parts of our own


# From a client to its kind. None of the texts holds a control character.
DIGEST_OF_CLIENT = (
    f"sha256(convert_to(concat_ws(E'\\x1f', {', '.join(f'c.{one}' for one in KIND_COLUMNS)}), "
    "'UTF8'))"
)
KIND_OF_CLIENT = f"JOIN meetings_clientkind k ON k.digest = {DIGEST_OF_CLIENT}"


def added_up(source: str, keys: Sequence[str]) -> str:
    """A SELECT of `keys` and a tally: the tallies of the rows of `source` added up."""
    by = ", ".join(keys)
    return f"""
        WITH source AS MATERIALIZED ({source}),
        counted AS (
            SELECT {by}, {", ".join(f"sum({count}) AS {count}" for count in COUNTS)}
            FROM source GROUP BY {by}
        ),
        histograms AS ({merged("source", keys)})
        SELECT {by}, {", ".join(COUNTS)}, coalesce(bins, '{{}}'), coalesce(upto, '{{}}')
        FROM counted LEFT JOIN histograms USING ({by})
    """  # noqa: S608 - parts of our own


def merged(source: str, keys: Sequence[str]) -> str:
    """A SELECT of `keys`, `bins` and `upto`: the histograms of the rows of `source` added up.

    Those of single facts have one bin, and are many.
    """
    by = ", ".join(keys)
    return f"""
        SELECT {by}, array_agg(bin ORDER BY bin) AS bins, array_agg(upto ORDER BY bin) AS upto
        FROM (
            SELECT {by}, bin,
                (sum(sum(number)) OVER (PARTITION BY {by} ORDER BY bin))::bigint AS upto
            FROM (
                SELECT {by}, bins[1] AS bin, upto[1] AS number
                FROM {source} AS s WHERE cardinality(s.bins) = 1
                UNION ALL
                SELECT {by}, bin, one.upto - one.before
                FROM {source} AS s, unnest(s.bins, s.upto, 0::bigint || s.upto)
                    AS one (bin, upto, before)
                WHERE cardinality(s.bins) > 1 AND bin IS NOT NULL
            ) AS told
            GROUP BY {by}, bin
        ) AS spread
        GROUP BY {by}
    """  # noqa: S608 - parts of our own
