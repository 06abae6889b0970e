"""From an episode to a story that a person can read."""
