"""The Break-Even Point (Jastrzebski et al., 2020): its studies, judged and drawn."""
