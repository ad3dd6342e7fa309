"""Which optimizer should train the second phase: the study, judged and drawn."""
