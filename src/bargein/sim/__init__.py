"""The client's and the server's machines with models of all that lies between, on one clock."""
