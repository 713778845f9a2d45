"""Benchmarks: clients of Assistant and tune that assemble nothing themselves."""
