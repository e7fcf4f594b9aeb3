"""Roll-ups: what the dashboard counts, added up in buckets of time as the facts come in."""
