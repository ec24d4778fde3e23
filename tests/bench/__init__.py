"""Benchmarks as ratios: the platform and a named peer are measured in turn in the same run."""
