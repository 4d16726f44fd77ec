"""The servers of `make dev`, for the tests."""

from toolchain.dev.servers import WITH_US, Postgres, RedisSet, eventually, free_port, install

__all__ = ["WITH_US", "Postgres", "RedisSet", "eventually", "free_port", "install"]
