"""What measures the client on real time, and shows what it measured."""
