"""Backtests: what trades live, played over stored bars."""
