"""What the service says, and whose record it changes: a file for each thing it speaks of."""
