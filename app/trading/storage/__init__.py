"""PostgreSQL, the truth for orders: connections, schema, ledger, leadership."""
