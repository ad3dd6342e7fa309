"""The effective learning rate of a run as measured, and as Lemma 5.2 predicts it."""

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import COLORS, GREY, MARKERS, log_y, panels, styled


@styled
def effective_lr_course(course: pd.DataFrame, settled: int | None = None) -> Figure:
    """Measured (marks) and predicted (dashed) effective learning rate over the steps of a run.

    Args:
        course: From :func:`analysis.intrinsic_lr.norm_course.norm_course`.
        settled: Its row from which on the norm has settled, marked by a dotted line; None for none.
    """
    figure, (axes,) = panels(1, 1, (7.0, 4.2))
    axes.plot(course["step"], course["effective_lr"], MARKERS[0], color=COLORS[0], ms=4, label="measured")
    axes.plot(course["step"], course["predicted_effective_lr"], "--", color=COLORS[1], label="predicted (Lemma 5.2)")
    if settled is not None:
        axes.axvline(course["step"].iloc[settled], color=GREY, lw=1.0, ls=":", label="norm settled")
    log_y(axes, course["effective_lr"])
    axes.set_xlabel("step")
    axes.set_ylabel("effective learning rate")
    axes.legend(loc="best")
    return figure
