"""Training by Vanilla SGD with Larger Learning Rates (2020): its studies, judged and drawn."""
