"""Credentials that rotate: an epoch and two slots a kind."""
