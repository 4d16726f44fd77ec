"""The trading engine: its seven roles as Deployments of one image."""
