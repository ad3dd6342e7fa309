"""AutoDrop (Teng, Wang and Choromanska, 2021): its studies, judged and drawn."""
