"""Figures of the studies, drawn from tables; each function returns a matplotlib Figure of its own."""
