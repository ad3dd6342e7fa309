"""The Two Regimes of Deep Network Training (Leclerc and Madry, 2020): its studies, judged and drawn."""
