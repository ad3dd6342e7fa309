"""Figures drawn for a test: every artist of theirs, and nothing in a file."""

from matplotlib.figure import Figure


def draw(figure: Figure) -> list[str]:
    """Draw a figure without the layout, which takes most of the time; the labels of its legends."""
    figure.set_layout_engine("none")
    figure.draw_without_rendering()
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    return [text.get_text() for legend in legends for text in legend.get_texts()]
