"""From results to figures and verdicts: one module per paper, with the stem of its search space."""
