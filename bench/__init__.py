"""Benchmarks: the means behind every number in the documentation."""
