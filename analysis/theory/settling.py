"""Toy experiment of the intrinsic learning rate: how the effective learning rate settles.

Claims P4-07, P4-08, P4-16 and P4-33, on the runs of :mod:`analysis.theory.settled_runs`; P4-05, P4-06, P4-29 and
P4-30, which leave nothing to chance, are in :mod:`analysis.theory.norm_decay`.

Source: Li, Lyu and Arora, 2020, Sec. 5, App. E and F.2.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.document import Plate
from analysis.figures.settling import changes_over_time, laws, norms
from analysis.intrinsic_lr.recovery import PREDICTED, RECOVERED
from analysis.statistics import Array, mean_effect
from analysis.theory.experiments import Experiment, Findings, interval
from analysis.theory.norm_decay import (
    KAIMING,
    SCALES,
    TRACE,
    decay_courses,
    norm_recursion,
    only_the_ratio,
    slopes_of_figure_8,
    stage_times,
    two_stages,
    two_stages_shorten,
)
from analysis.theory.settled_runs import LR, MODEL, Settled, constant, gammas, last_half, lemma, settle
from analysis.theory.toy_loss import SOURCE
from analysis.verdicts import Quantity, Verdict, judge_all, judge_greater, judge_interval
from tune_regimes.theory.effective_lr import (
    equilibrium_effective_lr,
    equilibrium_effective_lr_printed,
    relaxation_steps,
)
from tune_regimes.theory.lr_changes import Change
from tune_regimes.theory.sphere_descent import SphereRun

INTRINSIC_LRS = (0.008, 0.004, 0.002, 0.001, 0.0005)
STARTS = (100.0, 1.0, 0.01)
"""gamma_0 in units of the equilibrium."""
CHANGES = {"lr / 10": Change(lr=0.1), "wd / 10": Change(weight_decay=0.1), "lr / 10, wd x 10": Change(0.1, 10.0)}
CHANGED = 0.008
"""Intrinsic learning rate at which they are made."""
SLOW = 0.001
"""That of the comparison with Lemma 5.2, which is about infinitesimal steps."""
CLOSE = (0.95, 1.05)
"""Ratios of what is found to what is predicted that count as the same."""
SLOPES = 0.05
"""Distance of a slope from the one claimed that counts as none."""
PARTS = np.array([0.1, 0.25, 0.5, 1.0, 2.0])
"""When gamma is compared with Lemma 5.2, in units of 1 / intrinsic lr."""


def follows_lemma(claim: str, runs: Mapping[float, SphereRun], intrinsic_lr: float, note: str = "") -> Verdict:
    """P4-07, P4-07d: gamma is what Eq. 12 says at a constant trace, on the way and at the end."""
    statement = f"At le {intrinsic_lr:g} gamma relaxes as Eq. 12 says, from norms above, at and below equilibrium"
    test = f"90 % intervals over replicates of gamma / Eq. 12 within {CLOSE[0]:g} to {CLOSE[1]:g} at each time"
    steps = (PARTS / intrinsic_lr).astype(int)
    ratios = {start: gammas(run)[steps] / lemma(run, intrinsic_lr, steps) for start, run in runs.items()}
    judged = [judge_interval(*mean_effect(row).interval(0.90), CLOSE) for each in ratios.values() for row in each]
    statistics: dict[str, Quantity] = {
        f"at {part:g} / le from gamma_0 = {start:g}": interval(mean_effect(each[number]))
        for start, each in ratios.items()
        for number, part in enumerate(PARTS)
        if part in (PARTS[1], PARTS[-1])
    }
    n = {"starts": len(runs), "times": len(steps), "replicates": next(iter(ratios.values())).shape[1]}
    return Verdict(claim, statement, judge_all(judged), test, statistics, n=n, note=note)


def settles_at(found: Mapping[float, Array], *, printed: bool = False) -> Verdict:
    """P4-07b, P4-07c: the effective learning rate in equilibrium, as it follows from Eq. 12 and as printed below it."""
    form = "sigma / sqrt(2 le), as printed below Eq. 12" if printed else "sqrt(2 le) / sigma"
    law = equilibrium_effective_lr_printed if printed else equilibrium_effective_lr
    ratios = {le: mean_effect(values / law(le, MODEL.sigma)) for le, values in found.items()}
    judged = [judge_interval(*ratio.interval(0.90), CLOSE) for ratio in ratios.values()]
    statistics: dict[str, Quantity] = {f"ratio at le {le:g}": interval(ratio) for le, ratio in ratios.items()}
    test = f"90 % intervals over replicates of the ratio within {CLOSE[0]:g} to {CLOSE[1]:g} at each le"
    note = "the printed form is that of gamma^(+1/2), the inverse" if printed else ""
    statement = f"The effective lr settles at {form}"
    claim = "P4-07c" if printed else "P4-07b"
    return Verdict(claim, statement, judge_all(judged), test, statistics, n=_counts(found), note=note)


def square_root(found: Mapping[float, Array]) -> Verdict:
    """P4-08: in equilibrium gamma^(1/2) is proportional to le^(-1/2)."""
    statement = "The effective lr in equilibrium grows as the root of the intrinsic lr"
    slopes = _slopes(np.log(list(found)), np.log(list(found.values())))
    return _slope_verdict("P4-08", statement, slopes, 0.5, {}, _counts(found))


def changed(settled: Mapping[str, Settled]) -> tuple[Verdict, ...]:
    """P4-16, P4-16b, P4-16c: factors of the effective learning rate at once and in the end, for each change."""
    claims = ("P4-16", "P4-16b", "P4-16c")
    return tuple(_changed(claim, name, each) for claim, (name, each) in zip(claims, settled.items(), strict=True))


def loss_rises_again(settled: Settled) -> Verdict:
    """P4-16d: after a drop of the learning rate the loss falls, and then rises as the effective one equilibrates."""
    losses = settled.after.losses[1:]
    time = relaxation_steps(settled.intrinsic_lr * settled.change.settled**2)
    early = losses[round(time / 2) : round(3 * time / 2)].mean(axis=0)
    before, late = last_half(settled.before.losses), last_half(losses)
    fall, rise = mean_effect(np.log(before / early)), mean_effect(np.log(late / early))
    statement = "After lr / 10 the training loss falls at first, and rises again while the effective lr equilibrates"
    test = "one-sided t tests over replicates on log losses, 1/2 to 3/2 of 1 / (4 le) after the drop against both ends"
    statistics: dict[str, Quantity] = {
        "fall of log loss": interval(fall),
        "rise of log loss": interval(rise),
        "loss before": float(before.mean()),
        "early": float(early.mean()),
        "in the end": float(late.mean()),
    }
    p_values = {"fall": fall.p_above(), "rise": rise.p_above()}
    verdict = judge_all([judge_greater(fall), judge_greater(rise)])
    return Verdict("P4-16d", statement, verdict, test, statistics, p_values, {"replicates": len(early)})


def recovers(settled: Mapping[float, Settled]) -> Verdict:
    """P4-33: the steps to recover from lr / 10 with wd x 10 grow as 1 / le."""
    statement = "The steps back to equilibrium after lr / 10 with wd x 10 are proportional to 1 / (lr x wd)"
    steps = {le: each.recovered for le, each in settled.items()}
    slopes = _slopes(-np.log(list(steps)), np.log(list(steps.values())))
    mean = mean_effect(np.mean([le * values for le, values in steps.items()], axis=0))
    statistics: dict[str, Quantity] = {"steps x le": interval(mean), "predicted": PREDICTED}
    return _slope_verdict("P4-33", statement, slopes, 1.0, statistics, _counts(steps))


def effective_lr(replicates: int = 20, intrinsic_lrs: Sequence[float] = INTRINSIC_LRS) -> Findings:
    """Lemma 5.2, Sec. 5.3, App. E, and Figs. 8 and 11 on toys: P4-05 to P4-08, P4-16, P4-29, P4-30 and P4-33."""
    starts = {start: constant(SLOW, start, replicates) for start in STARTS}
    faster = {start: constant(CHANGED, start, replicates) for start in STARTS}
    settled = {name: settle(CHANGED, change, replicates) for name, change in CHANGES.items()}
    returns = {le: settle(le, CHANGES["lr / 10, wd x 10"], replicates) for le in intrinsic_lrs}
    levels = {le: each.base for le, each in returns.items()}
    verdicts = (
        norm_recursion(starts[STARTS[0]], SLOW),
        only_the_ratio(CHANGED, replicates),
        follows_lemma("P4-07", starts, SLOW),
        follows_lemma(
            "P4-07d", faster, CHANGED, "looked at first; in finite steps the squared mean gradient adds to Tr Sigma"
        ),
        settles_at(levels),
        settles_at(levels, printed=True),
        square_root(levels),
        *changed(settled),
        loss_rises_again(settled["lr / 10"]),
        two_stages(),
        two_stages_shorten(),
        slopes_of_figure_8(),
        recovers(returns),
    )
    gamma = {start: gammas(run) for start, run in starts.items()}
    plates = (
        Plate(
            "changes",
            changes_over_time(settled, MODEL.sigma),
            "Effective lr in units of that before (left; dashed: predicted) and training loss (right) after a change "
            "at equilibrium, means over replicates; dotted: before the change.",
        ),
        Plate(
            "laws",
            laws(gamma, SLOW, levels, {le: each.recovered for le, each in returns.items()}, MODEL.sigma),
            "Gamma over time by its start, means over replicates (left), effective lr in equilibrium (middle), and "
            "steps to recover from lr / 10 with wd x 10 (right, Fig. 11), a mark per replicate; dashed: Lemma 5.2.",
        ),
        Plate(
            "norms",
            norms(decay_courses(), *stage_times()),
            "Squared norm without noise from two extreme initialisations, by first lr and weight decay, with lr 0.01 "
            "from step 31,280 on (as Fig. 8 b), and steps until gamma has settled by K (App. E).",
        ),
    )
    name = "intrinsic_lr.effective_lr"
    return Findings(
        name, f"{SOURCE}, Sec. 5, App. E, Figs. 8 and 11", _setup(replicates, intrinsic_lrs), verdicts, plates
    )


def _setup(replicates: int, intrinsic_lrs: Sequence[float]) -> tuple[str, ...]:
    return (
        f"loss (1 - u_1^2) / 2 of the direction u = w / norm(w) in {MODEL.dimension} dimensions, normal gradient noise "
        f"with Tr Sigma = {MODEL.sigma**2:g} at unit weights in every direction; lr {LR:g}: ours",
        f"{replicates} replicates; intrinsic lrs {', '.join(f'{le:g}' for le in intrinsic_lrs)}; "
        f"changes at {CHANGED:g}, gamma over time at {SLOW:g}",
        f"squared norms of {KAIMING:g} times {' and '.join(f'{each**2:g}' for each in SCALES.values())} and Tr Sigma = "
        f"{TRACE:g} for Fig. 8: ours; momentum as lr / (1 - mu)",
        f"recovered where {RECOVERED:g} of the former effective lr is reached: the paper gives no criterion",
    )


def _changed(claim: str, name: str, settled: Settled) -> Verdict:
    change = settled.change
    statement = (
        f"{name} multiplies the effective lr by {change.immediate:g} at once, by {change.settled:.3g} in the end"
    )
    test = f"90 % intervals over replicates of each factor / predicted within {CLOSE[0]:g} to {CLOSE[1]:g}"
    factors = {"at once": settled.relative[0], "in the end": last_half(settled.relative)}
    predicted = {"at once": change.immediate, "in the end": change.settled}
    effects = {when: mean_effect(values) for when, values in factors.items()}
    ratios = {when: mean_effect(values / predicted[when]) for when, values in factors.items()}
    verdict = judge_all([judge_interval(*ratio.interval(0.90), CLOSE) for ratio in ratios.values()])
    statistics: dict[str, Quantity] = {when: interval(effect) for when, effect in effects.items()}
    return Verdict(claim, statement, verdict, test, statistics, n={"replicates": len(settled.base)})


def _slopes(x: Array, y: Array) -> Array:
    """Least-squares slopes over x, shape (k,), of the columns of y, shape (k, R)."""
    centred = x - x.mean()
    return np.asarray(centred @ y / (centred @ centred))


def _slope_verdict(
    claim: str, statement: str, slopes: Array, claimed: float, more: Mapping[str, Quantity], n: Mapping[str, int]
) -> Verdict:
    bounds = (claimed - SLOPES, claimed + SLOPES)
    effect = mean_effect(slopes)
    test = f"90 % interval over replicates of the log-log slope within {bounds[0]:g} to {bounds[1]:g}"
    statistics: dict[str, Quantity] = {"slope": interval(effect), **more}
    return Verdict(claim, statement, judge_interval(*effect.interval(0.90), bounds), test, statistics, n=n)


def _counts(found: Mapping[float, Array]) -> dict[str, int]:
    return {"intrinsic lrs": len(found), "replicates": len(next(iter(found.values())))}


EXPERIMENTS = (
    Experiment(
        "intrinsic_lr.effective_lr",
        "how the effective learning rate settles, what changes do to it, and how long it takes",
        SOURCE,
        ("8", "11"),
        ("P4-05", "P4-06", "P4-07", "P4-08", "P4-16", "P4-29", "P4-30", "P4-33"),
        effective_lr,
    ),
)
