"""The roles of the one image: feed, engine, api."""
