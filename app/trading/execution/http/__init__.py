"""A broker over HTTP, in the shape that Indian broker APIs share."""
