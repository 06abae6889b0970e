"""What other servers do differently, and what that changes in the client: docs/dialects.md."""
