"""The namespace and who may talk to whom in it."""
