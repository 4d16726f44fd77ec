"""The same faults against plain setups beside the platform, so that a table shows what the platform's choices buy."""
