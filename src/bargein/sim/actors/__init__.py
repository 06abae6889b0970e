"""What lies between the two machines, and around them: links, card, model, user."""
