"""Highly available PostgreSQL: Patroni, a promotion guard, and members that follow their credentials."""
