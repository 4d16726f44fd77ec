"""Redis through Sentinel: speed, never truth."""
