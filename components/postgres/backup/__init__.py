"""Backups of PostgreSQL by pgBackRest: archive of the log, base backups, checks, and restores that are rehearsed."""
