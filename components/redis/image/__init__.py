"""Programs of the image: what starts a node, decides its role, keeps it in step with its credentials."""
