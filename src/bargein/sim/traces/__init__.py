"""A recorded session judged like a simulated one, and a simulated one written as a trace."""
