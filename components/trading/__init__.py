"""The trading engine: feed, engine and API as Deployments of one image."""
