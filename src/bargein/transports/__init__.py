"""Ways to carry frames, unread: nothing here knows an event."""
