"""The members' programs against real PostgreSQL servers."""
