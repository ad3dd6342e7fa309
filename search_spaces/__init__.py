"""Studies of the papers: one module per paper, each study a space, a schedule, a task, its scales and the claim it tests."""
