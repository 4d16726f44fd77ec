"""Faults, loads and ledgers: the promises of the platform as measurements."""
