"""Toy experiments: what the papers show without a network, computed, judged and drawn."""
