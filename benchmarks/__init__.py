"""What `make bench` runs: figures of this machine, at this moment, on real processes."""
