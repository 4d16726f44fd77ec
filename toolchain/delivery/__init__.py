"""The way of a change to an environment: pinned images, plans, canaries, the release before, rotation by schedule."""
