"""Redis with Sentinel: three data nodes, three Sentinels, a stable address each."""
