"""The local Realtime server: a pure protocol machine, its engines, and the edges around them."""
