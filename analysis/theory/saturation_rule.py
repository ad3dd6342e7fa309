"""Toy experiment of AutoDrop: dropping the learning rate by half on the noisy quadratic, Fig. 3, claim P1-08.

Source: Teng, Wang and Choromanska, AutoDrop, Sec. 3.
"""

from analysis.document import Plate
from analysis.figures.noisy_quadratic import rule_course
from analysis.statistics import mean_effect
from analysis.theory.experiments import Experiment, Findings, interval
from analysis.theory.noisy_quadratic import SOURCE
from analysis.verdicts import DOES_NOT_HOLD, Verdict, judge_interval
from tune_regimes.theory.noisy_quadratic import NoisyQuadratic, paper_quadratic
from tune_regimes.theory.saturation_rule import NEVER, RuleRun, SaturationRule, follow

FLOOR = (0.9, 1.1)
"""Ratios of a loss to the stationary one that count as having reached it."""


def judge_rule(claim: str, model: NoisyQuadratic, rule: SaturationRule, run: RuleRun) -> Verdict:
    """P1-08: the rule visits all its learning rates and ends at the loss of the smallest."""
    statement = (
        f"Dropping by half where the mean angle ({rule.average} means) stands still reaches the smallest lr's loss"
    )
    test = (
        f"every drop made; 90 % interval over replicates of loss / stationary loss within {FLOOR[0]:g} to {FLOOR[1]:g}"
    )
    made = run.drops != NEVER
    tail = max(1, len(run.losses) // 20)
    ratio = mean_effect(run.losses[-tail:].mean(axis=0) / model.stationary_loss(rule.min_lr))
    last = run.drops[:, -1]
    statistics = {
        "drops made": float(made.mean()),
        "loss / stationary loss": interval(ratio),
        f"the same at constant lr {rule.lr:g}": model.stationary_loss(rule.lr) / model.stationary_loss(rule.min_lr),
    }
    verdict = judge_interval(*ratio.interval(0.90), FLOOR) if made.all() else DOES_NOT_HOLD
    note = f"last drop at iterations {last.min()} to {last.max()}" if made.all() else "not every drop was made"
    n = {"replicates": run.drops.shape[0], "iterations": len(run.lrs), "drops each": run.drops.shape[1]}
    return Verdict(claim, statement, verdict, test, statistics, n=n, note=note)


def saturation_rule(moving: int = 30_000, disjoint: int = 60_000, replicates: int = 10) -> Findings:
    """Fig. 3: P1-08, with either reading of "averaged across 20 iterations"."""
    model = paper_quadratic()
    rules = {SaturationRule("moving"): moving, SaturationRule("disjoint"): disjoint}
    runs = {rule: follow(model, rule, iterations=count, replicates=replicates) for rule, count in rules.items()}
    verdicts = tuple(
        judge_rule(claim, model, *run) for claim, run in zip(("P1-08", "P1-08b"), runs.items(), strict=True)
    )
    plates = tuple(
        Plate(
            f"{rule.average}_means",
            rule_course(model, rule, run),
            f"Loss, angular velocity and lr under the rule with {rule.average} means (Fig. 3), one replicate. "
            "Dotted: its drops; dashed: the stationary loss at the largest and the smallest learning rate.",
        )
        for rule, run in runs.items()
    )
    setup = (
        "the model of Fig. 1; lr 0.06, halved to 0.001 where the mean of 20 angles changes by less than 0.01 degrees",
        f"{replicates} replicates; {moving} iterations with moving means, {disjoint} with disjoint ones: the paper has "
        "either",
    )
    return Findings("autodrop.saturation_rule", f"{SOURCE}, Fig. 3", setup, verdicts, plates)


EXPERIMENTS = (
    Experiment(
        "autodrop.saturation_rule",
        "dropping the learning rate where the mean angle stands still for 20 iterations",
        SOURCE,
        ("3",),
        ("P1-08",),
        saturation_rule,
    ),
)
