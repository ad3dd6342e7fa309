"""The factory behind every built-in task: a data set, a model, cross-entropy and accuracy."""

from functools import partial
from typing import Any

from tune_regimes.tasks import datasets, models
from tune_regimes.tasks.definition import Augmentation, Task, accuracy, top5_accuracy
from tune_regimes.tasks.options import FULL, Options
from tune_regimes.tasks.registry import DATASETS, split_name


def build(name: str, **options: Any) -> Task:
    """The built-in task of that name, with the options of :func:`tune_regimes.tasks.registry.resolve`.

    Raises:
        TaskError: for an unknown name or a batch size that does not fit the data.
        DataError: when the data are missing, incomplete or damaged.
    """
    dataset, model = split_name(name)
    chosen, info = Options(**options), DATASETS[dataset]
    data = datasets.load(dataset, chosen)
    make = partial(
        models.build,
        model,
        shape=info.shape,
        num_classes=info.num_classes,
        width=chosen.width,
        dropout=chosen.dropout,
        init=chosen.init,
        init_scale=chosen.init_scale,
    )
    crops = Augmentation(info.flip, info.crop, chosen.padding) if chosen.augment else Augmentation()
    rows = len(data.train) if chosen.batch_size == FULL else chosen.batch_size
    return Task(
        make,
        data,
        metrics={"accuracy": accuracy, **({"top5_accuracy": top5_accuracy} if info.top5 else {})},
        batch_size=int(rows or info.batch_size),
        augmentation=crops,
        init_seed=chosen.init_seed,
    )
