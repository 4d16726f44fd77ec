"""Mounted credentials and API keys."""
