"""The papers' closed forms and toy models, beside the simulations that they predict. NumPy only."""
