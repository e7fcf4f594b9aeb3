"""What `make bench-large` runs: pages, lists, figures and ingest over millions of rows."""
