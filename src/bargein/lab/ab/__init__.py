"""One scenario over both transports, by this client and by a naive one, side by side."""
