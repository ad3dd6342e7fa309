"""The Intrinsic Learning Rate (Li, Lyu and Arora, 2020): its studies, judged and drawn."""
