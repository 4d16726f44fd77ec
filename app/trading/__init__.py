"""The trading engine: feed, engine and API as roles of one image."""

__version__ = "0.1.0"
