"""Small conversations in which the order of what happens is not drawn: all orders are tried."""
