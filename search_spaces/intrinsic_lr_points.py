"""The schedules of ``intrinsic_lr``'s studies by point, the values of their points, and what looks at them."""

from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces.intrinsic_lr_rates import RATES, Rates
from tune_regimes.schedule import Phase, Schedule, labelled, rescaled, weight_decay_for
from tune_regimes.schedule.families.equilibrium import FIG_4_UNITS, figure_3, figure_4, figure_5, figure_8, table_1

TABLE_1_UNITS = 11
"""Units of 100 epochs in a run of Table 1: ten as printed, and one of fine-tuning, whose length is not given."""
FIG_3_UNITS = 5
FIG_8_UNITS = 4
FEWEST = 2
"""Epochs of the shortest phase of a recovery."""
LOOKS = 13
"""Networks of a run that are averaged in pairs, from a quarter of the epochs on: the paper has epochs 2000 to 8000."""
MOMENTUM = 0.9
"""Of Fig. 7, where it is not printed."""

Config = Mapping[str, Any]


def equilibrium_schedule(config: Config, *, rates: Rates, epochs: int) -> Schedule:
    """Schedule 1 to 5 of Table 1, with a unit of an eleventh of the epochs.

    Examples:
        >>> [phase.lr for phase in equilibrium_schedule({"schedule": "1"}, rates=RATES["paper"], epochs=1100).phases]
        [0.4, 0.1, 0.4, 0.1, 0.2, 0.4, 0.04]
    """
    lr, decay = rates.equilibrium
    return table_1(config["schedule"], epochs=epochs, unit=epochs // TABLE_1_UNITS, lr=lr, weight_decay=decay)


def recovery_schedule(config: Config, *, rates: Rates, epochs: int) -> Schedule:
    """Train to the equilibrium, then go on for as long at a tenth of the lr and ten times the weight decay (Fig. 11).

    The smallest intrinsic learning rate has all epochs, the others fewer in inverse proportion.

    Examples:
        >>> schedule = recovery_schedule({"intrinsic_lr": 4e-3}, rates=RATES["replica"], epochs=64)
        >>> [(phase.lr, round(phase.weight_decay, 6), phase.epochs) for phase in schedule.phases]
        [(0.4, 0.01, 8), (0.04, 0.1, 8)]
    """
    intrinsic, lr = config["intrinsic_lr"], rates.recovery_lr
    half = max(FEWEST, round(epochs / 2 * rates.recovery[0] / intrinsic))
    decay = weight_decay_for(intrinsic, lr)
    return rescaled(epochs=2 * half, lr=lr, weight_decay=decay, changes=[(half, 0.1, 10)])


def decay_schedule(config: Config, *, rates: Rates, epochs: int) -> Schedule:
    """Fig. 4: the learning rate or the weight decay halved at the same epochs, with one unit of fine-tuning at the end.

    Examples:
        >>> decay_schedule({"decays": "lr"}, rates=RATES["replica"], epochs=44).transitions
        (4, 8, 12, 16, 24, 40)
    """
    lr, decay = rates.decay
    unit = epochs // (FIG_4_UNITS[rates.halvings] + 1)
    return figure_4(config["decays"], epochs=epochs, unit=unit, halvings=rates.halvings, lr=lr, weight_decay=decay)


def prediction_schedule(config: Config, *, rates: Rates, epochs: int) -> Schedule:
    """Fig. 3: constant, lr decay or weight decay over three fifths of the epochs, then fine-tuning.

    Examples:
        >>> schedule = prediction_schedule({"schedule": "lr_decay"}, rates=RATES["paper"], epochs=200)
        >>> [phase.lr for phase in schedule.phases]
        [0.4, 0.2, 0.1, 0.01]
    """
    lr, decay = rates.predictions
    return figure_3(config["schedule"], epochs=epochs, unit=epochs // FIG_3_UNITS, lr=lr, weight_decay=decay)


def prediction_probe(epochs: int) -> str:
    """What looks at the predictions of Fig. 3b: after the epoch before the fine-tuning, and after the last.

    Examples:
        >>> prediction_probe(200)
        'predictions:at=120+200'
    """
    return f"predictions:at={3 * (epochs // FIG_3_UNITS)}+{epochs}"


def labels(name: str, epochs: int) -> list[str]:
    """The labels of Fig. 2a at a scale: the baseline first, then a small learning rate from the start.

    The paper prints neither the baseline's epochs nor the length of its runs. At the other scales the small rate is a
    tenth of the baseline's, not a hundredth, and a third label has the same long phase after a start at the large one.

    Examples:
        >>> labels("paper", 5100), labels("replica", 60)
        (['wd_lr_80_120', 'wd_lr_0_0_5000'], ['wd_lr_12_24', 'wd_lr_0_54', 'wd_lr_12_54'])
    """
    if name == "paper":
        return ["wd_lr_80_120", "wd_lr_0_0_5000"]
    large, short, end = epochs // 5, 2 * epochs // 5, epochs - tail(epochs)
    return [f"wd_lr_{large}_{short}", f"wd_lr_0_{end}", f"wd_lr_{large}_{end}"]


def tail(epochs: int) -> int:
    """Epochs after the last drop of Fig. 2's schedules, of which the longest has so many: a tenth, at most 100.

    Examples:
        >>> tail(60), tail(5100)
        (6, 100)
    """
    return min(max(1, epochs // 10), 100)


def label_schedule(config: Config, *, rates: Rates, epochs: int) -> Schedule:
    """Fig. 2a to 2c: the schedule of a label, which ends a while after its last drop.

    Examples:
        >>> schedule = label_schedule({"label": "wd_lr_0_0_5000"}, rates=RATES["paper"], epochs=5100)
        >>> [(phase.lr, phase.epochs) for phase in schedule.phases]
        [(0.001, 5000), (0.0001, 100)]
    """
    last = max(int(number) for number in config["label"].split("_") if number.isdigit())
    return labelled(config["label"], epochs=last + tail(epochs), weight_decay=rates.small_lr)


def level_schedule(config: Config, *, rates: Rates, epochs: int) -> Schedule:
    """Fig. 2d: a constant learning rate without momentum, and a tenth of it at the end; weight decay stays on.

    Examples:
        >>> schedule = level_schedule({"lr": 0.4}, rates=RATES["replica"], epochs=60)
        >>> [(phase.lr, phase.epochs) for phase in schedule.phases]
        [(0.4, 54), (0.04, 6)]
    """
    drop = (epochs - tail(epochs), 0.1, 1.0)
    return rescaled(epochs=epochs, lr=config["lr"], weight_decay=rates.levels, changes=[drop])


def initialisation_schedule(config: Config, *, rates: Rates, epochs: int) -> Schedule:
    """Fig. 8: momentum 0.9, learning rate 0.1 or 0.01 from the start, either weight decay.

    Examples:
        >>> config = {"start": "small", "weight_decay": 5e-4}
        >>> schedule = initialisation_schedule(config, rates=RATES["paper"], epochs=160)
        >>> [(phase.lr, phase.epochs) for phase in schedule.phases]
        [(0.01, 120), (0.001, 40)]
    """
    unit = epochs // FIG_8_UNITS
    return figure_8(config["start"], epochs=epochs, unit=unit, weight_decay=config["weight_decay"], momentum=0.9)


def full_batch_schedule(config: Config, *, rates: Rates, epochs: int) -> Schedule:
    """Fig. 5b and 5c: gradient descent with weight decay for three quarters of the epochs, or without it throughout.

    Examples:
        >>> full_batch_schedule({"weight_decay": "on"}, rates=RATES["paper"], epochs=40000).transitions
        (30000,)
    """
    decay = rates.full_batch if config["weight_decay"] == "on" else 0.0
    return figure_5(epochs=epochs, unit=3 * epochs // 4, weight_decay=decay)


def averages_schedule(config: Config, *, rates: Rates, epochs: int) -> Schedule:
    """Figs. 6 and 7: one learning rate throughout, without momentum or with it, at one intrinsic learning rate.

    Examples:
        >>> schedule = averages_schedule({"momentum": 0.9}, rates=RATES["paper"], epochs=8000)
        >>> [(round(phase.lr, 6), phase.weight_decay, phase.epochs) for phase in schedule.phases]
        [(0.04, 0.0005, 8000)]
    """
    (lr, decay), momentum = rates.averages, config["momentum"]
    phase = Phase(lr=lr * (1 - momentum), momentum=momentum, weight_decay=decay, epochs=epochs)
    return Schedule((phase,))


def weights_probe(epochs: int) -> str:
    """What compares the networks of Figs. 6 and 7, equally far apart.

    Examples:
        >>> weights_probe(16)
        'weights:at=4+5+6+7+8+9+10+11+12+13+14+15+16'
    """
    first = epochs // 4
    looks = (first + round(place * (epochs - first) / (LOOKS - 1)) for place in range(LOOKS))
    return f"weights:at={'+'.join(map(str, looks))}"


def drawn(name: str, epochs: int) -> Mapping[str, Mapping[str, Sequence[Any]]]:
    """The values of each study's settings at a scale: every combination is a point."""
    rates = RATES[name]
    return {
        "equilibrium": {"schedule": ["1", "2", "3", "4", "5"]},
        "recovery": {"intrinsic_lr": rates.recovery},
        "decay_kind": {"decays": ["lr", "weight_decay"]},
        "predictions": {"schedule": ["const", "lr_decay", "wd_decay"]},
        "small_lr": {"label": labels(name, epochs)},
        "levels": {"lr": rates.levels_lr},
        "initialisation": {"start": ["large", "small"], "weight_decay": rates.initialisation},
        "full_batch": {"weight_decay": ["on", "off"]},
        "averages": {"momentum": [0.0, MOMENTUM]},
    }
