"""Tables 1 and 2 of AutoDrop as printed, and what they say of themselves: claims P1-22 and P1-23 on the constants.

Source: Teng, Wang and Choromanska, AutoDrop, Sec. 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy import stats

from analysis.statistics import ALPHA
from analysis.verdicts import DOES_NOT_HOLD, HOLDS, Quantity, Verdict

Error = tuple[float, float]
"""Mean and standard deviation of the final test error over seeds, in percent."""
SEEDS = 4


@dataclass(frozen=True)
class Row:
    """A row of Table 1.

    Args:
        claim: The claim's number.
        network: Network and data set, in words.
        task: The task that has them.
        baseline: The baseline's error.
        autodrop: AutoDrop's error by drop factor.
    """

    claim: str
    network: str
    task: str
    baseline: Error
    autodrop: Mapping[float, Error]

    @property
    def winners(self) -> tuple[float, ...]:
        """The drop factors with a smaller mean error than the baseline."""
        return tuple(rho for rho, (mean, _) in self.autodrop.items() if mean < self.baseline[0])


TABLE_1 = (
    Row(
        "P1-17",
        "ResNet-18 on CIFAR-10",
        "cifar10/resnet18",
        (4.87, 0.085),
        {0.1: (5.07, 0.465), 0.2: (4.61, 0.173), 0.5: (4.71, 0.111)},
    ),
    Row(
        "P1-18",
        "WRN-28-10 on CIFAR-10",
        "cifar10/wrn28_10",
        (3.77, 0.05),
        {0.1: (3.73, 0.26), 0.2: (3.73, 0.10), 0.5: (4.29, 1.13)},
    ),
    Row(
        "P1-19",
        "ResNet-34 on CIFAR-100",
        "cifar100/resnet34",
        (21.91, 0.20),
        {0.1: (23.27, 0.48), 0.2: (21.82, 0.50), 0.5: (21.43, 0.29)},
    ),
    Row(
        "P1-20",
        "WRN-40-10 on CIFAR-100",
        "cifar100/wrn40_10",
        (19.16, 0.11),
        {0.1: (18.25, 0.33), 0.2: (18.17, 0.25), 0.5: (23.15, 3.43)},
    ),
)
"""The rows with four seeds."""
IMAGENET = Row(
    "P1-21", "ResNet-18 on ImageNet", "imagenet/resnet18", (29.93, float("nan")), {0.1: (29.80, float("nan"))}
)
"""The row with one run each: its errors have no standard deviation. No built-in task has ImageNet at 224 pixels: this
one would be one's own."""
TABLE_2: Mapping[float, tuple[Error, Error]] = {
    0.15: ((5.04, 0.19), (4.90, 0.20)),
    0.1: ((4.80, 0.12), (4.62, 0.14)),
    0.05: ((4.87, 0.09), (4.61, 0.17)),
    0.03: ((5.07, 0.28), (4.73, 0.25)),
}
"""Errors of the baseline and of AutoDrop, both with factor 0.2, by initial learning rate."""

CONSTANTS = "the printed means compared; Welch's test from the printed means and standard deviations, n = 4 each"


def printed_factor(rows: tuple[Row, ...] = TABLE_1) -> Verdict:
    """P1-22 on the printed table: factor 0.2 is below the baseline in each row with several seeds."""
    statement = "In Table 1 as printed, AutoDrop at rho 0.2 is among the winners in all four rows on CIFAR"
    pairs = {row.network: (row.autodrop[0.2], row.baseline) for row in rows}
    winners = "; ".join(f"{row.network}: {', '.join(f'{rho:g}' for rho in row.winners) or 'none'}" for row in rows)
    return _compare("P1-22", statement, pairs, f"factors below the baseline: {winners}")


def printed_robustness(table: Mapping[float, tuple[Error, Error]] = TABLE_2) -> Verdict:
    """P1-23 on the printed table: AutoDrop is below the baseline at each initial learning rate."""
    statement = "In Table 2 as printed, AutoDrop is below the baseline at all four initial learning rates"
    pairs = {f"lr {lr:g}": (autodrop, baseline) for lr, (baseline, autodrop) in table.items()}
    return _compare("P1-23", statement, pairs)


def printed_spread(table: Mapping[float, tuple[Error, Error]] = TABLE_2) -> Verdict:
    """P1-23c on the printed table: how much the error varies over the initial learning rates, by method."""
    statement = (
        "In Table 2 as printed, AutoDrop's error varies less over the initial learning rates than the baseline's"
    )
    spreads = [max(means) - min(means) for means in zip(*([b[0], a[0]] for b, a in table.values()), strict=True)]
    statistics: dict[str, Quantity] = {"range of the baseline (%)": spreads[0], "range of AutoDrop (%)": spreads[1]}
    verdict = HOLDS if spreads[1] < spreads[0] else DOES_NOT_HOLD
    note = "the paper asks whether AutoDrop is more robust to the initial learning rate, and shows that it is better"
    return Verdict(
        "P1-23c", statement, verdict, "the ranges of the printed means", statistics, n={"lrs": len(table)}, note=note
    )


def welch_p_value(first: Error, second: Error, n: int = SEEDS) -> float:
    """One-sided p-value that the first mean is below the second, from means, deviations and n.

    Examples:
        >>> round(welch_p_value((4.61, 0.173), (4.87, 0.085)), 3)
        0.025
    """
    return float(stats.ttest_ind_from_stats(*first, n, *second, n, equal_var=False, alternative="less").pvalue)


def _compare(claim: str, statement: str, pairs: Mapping[str, tuple[Error, Error]], note: str = "") -> Verdict:
    """Holds where each first mean is below the second."""
    statistics: dict[str, Quantity] = {f"{name} (%)": round(a[0] - b[0], 10) for name, (a, b) in pairs.items()}
    p_values = {name: welch_p_value(a, b) for name, (a, b) in pairs.items()}
    verdict = HOLDS if all(a[0] < b[0] for a, b in pairs.values()) else DOES_NOT_HOLD
    shown = sum(p < ALPHA for p in p_values.values())
    notes = [f"of {len(pairs)} differences {shown} {'is' if shown == 1 else 'are'} shown at 5 %", note]
    n = {"rows": len(pairs), "seeds": SEEDS}
    return Verdict(claim, statement, verdict, CONSTANTS, statistics, p_values, n, "; ".join(filter(None, notes)))
