"""MCP servers that clients declare by `server_url`, reached as the service reaches them."""
