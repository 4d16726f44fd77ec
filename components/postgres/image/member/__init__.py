"""What runs in a member's pod beside Patroni. The standard library and psycopg only."""
