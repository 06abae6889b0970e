"""What must hold in every conversation, and what a history says about it."""
