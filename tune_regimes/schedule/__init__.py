"""What to apply when: settings, phases, ramps and the families of schedules. Standard library only."""
