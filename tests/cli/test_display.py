"""What is seen of a study while it runs."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from tune_regimes.cli.display import Display, LineDisplay, LiveDisplay, drawing, make_display, summary_line
from tune_regimes.search import Progress

STATES = {"completed": 7, "diverged": 1, "running": 2, "waiting": 10}
PROGRESS = Progress(
    trials=20,
    states=STATES,
    epochs=400,
    epochs_left=600,
    elapsed=50.0,
    epochs_per_second=10.0,
    best=0.93124,
    best_trial="00003-s1",
)
STARTING = Progress(trials=20, states={"running": 2, "waiting": 18}, epochs_left=1000, elapsed=3.0)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def drawn(progress, width=100):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(drawing(progress, "demo, 20 trials into studies/demo", "test_accuracy"))
    return console.export_text()


def line_display(clock):
    return LineDisplay("demo", "test_accuracy", io.StringIO(), clock)


def lines(display):
    return display.stream.getvalue().splitlines()


def test_the_drawing_shows_states_best_speed_and_times():
    text = drawn(PROGRESS)
    assert "demo, 20 trials into studies/demo" in text
    assert "400 of 1000 at most" in text
    assert "20: 7 completed, 1 diverged, 2 running, 10 waiting" in text
    assert "test_accuracy 0.9312 (trial 00003-s1)" in text
    assert "10.0 epochs/s, 50 s elapsed, about 1 min left" in text


def test_what_is_inherited_is_shown_where_something_is():
    progress = replace(PROGRESS, epochs_inherited=200)
    assert "600 of 1200 at most, 200 of them inherited" in drawn(progress)
    assert "400 epochs trained, 200 inherited; best" in summary_line(progress, "test_accuracy")
    assert progress.seconds_left == 600 * 400 / 600 / 10.0


def test_the_drawing_before_the_first_epoch_promises_nothing():
    text = drawn(STARTING)
    assert "none yet: no trial has completed" in text
    assert "starting, 3 s elapsed" in text
    assert "left" not in text


def test_the_drawing_fits_a_narrow_terminal():
    assert max(map(len, drawn(PROGRESS, width=60).splitlines())) <= 60


def test_a_plain_line_holds_the_same():
    assert summary_line(PROGRESS, "test_accuracy") == (
        "[50 s] 8 of 20 trials ended; 7 completed, 1 diverged, 2 running, 10 waiting; "
        "best test_accuracy 0.9312 (trial 00003-s1); 10.0 epochs/s; about 1 min left"
    )


def test_plain_lines_start_with_what_runs_and_wait_for_the_first_epoch(clock):
    display = line_display(clock)
    with display:
        display(STARTING)
        display(PROGRESS)
    assert lines(display) == ["demo: starting", summary_line(PROGRESS, "test_accuracy")]


def test_plain_lines_come_at_most_every_ten_seconds(clock):
    display = line_display(clock)
    for second in range(31):
        clock.now = float(second)
        display(Progress(trials=99, states={"completed": second + 1}, epochs=second + 1))
    assert len(lines(display)) == 4


def test_plain_lines_become_rare_while_no_trial_ends(clock):
    display = line_display(clock)
    for second in range(0, 600, 5):
        clock.now = float(second)
        display(Progress(trials=2, states={"running": 2}, epochs=second + 1))
    assert len(lines(display)) == 10


def test_plain_lines_of_a_long_run_are_further_apart(clock):
    display = line_display(clock)
    for minute in range(24 * 60):
        clock.now = minute * 60.0
        display(Progress(trials=9999, states={"completed": minute + 1}, epochs=minute + 1, elapsed=clock.now))
    assert 100 < len(lines(display)) < 250


def test_a_trial_that_failed_is_told_at_once(clock):
    display = line_display(clock)
    display(PROGRESS)
    clock.now = 1.0
    display(Progress(trials=20, states=STATES | {"failed": 1}, epochs=401))
    assert "1 failed" in lines(display)[-1]


def test_each_stream_gets_the_display_that_fits_it():
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    assert type(make_display("t", "m", terminal, quiet=False)) is LiveDisplay
    assert type(make_display("t", "m", io.StringIO(), quiet=False)) is LineDisplay
    assert type(make_display("t", "m", terminal, quiet=True)) is Display


def test_the_live_display_draws_in_place_and_clears_itself():
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    with make_display("demo", "test_accuracy", terminal, quiet=False) as display:
        display(PROGRESS)
    assert "7 completed" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")
    assert display.last is PROGRESS


def test_a_quiet_display_shows_nothing_and_knows_what_was_last():
    stream = io.StringIO()
    with make_display("t", "m", stream, quiet=True) as display:
        display(PROGRESS)
    assert (stream.getvalue(), display.last) == ("", PROGRESS)
