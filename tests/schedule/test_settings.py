"""Settings have one canonical form: equal settings mean equal training."""

import json

import pytest

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Settings, at_step
from tune_regimes.schedule.optimizers import OPTIMIZER_FAMILIES


def test_values_per_step_that_are_all_equal_become_one_value():
    assert Settings("sgd", lr=(0.1, 0.1), momentum=(0.9, 0.9)) == Settings("sgd", lr=0.1, momentum=0.9)


@pytest.mark.parametrize(
    ("optimizer", "unused"),
    [
        ("sgd", {"beta2": 0.5, "eps": 1e-3, "rho": 0.5}),
        ("sgd", {"nesterov": True}),
        ("adam", {"nesterov": True, "rho": 0.5}),
        ("adamw", {"nesterov": True, "rho": 0.5}),
        ("adadelta", {"momentum": 0.9, "nesterov": True, "beta2": 0.5}),
        ("sgd", {"decay": "kernels"}),
        ("sgd", {"history_size": 3, "max_iter": 9, "line_search": "strong_wolfe", "damping": 0.1, "refresh": 5}),
        ("muon", {"nesterov": True, "beta2": 0.5, "eps": 1e-3, "damping": 0.1}),
        ("lbfgs", {"momentum": 0.9, "nesterov": True, "refresh": 5}),
        ("kfac", {"nesterov": True, "beta2": 0.5, "max_iter": 9}),
    ],
)
def test_what_the_optimizer_does_not_use_is_no_part_of_the_settings(optimizer, unused):
    assert Settings(optimizer, lr=0.1, **unused) == Settings(optimizer, lr=0.1)
    assert not set(unused) & set(Settings(optimizer, lr=0.1, **unused).to_dict()) - {"eps", "momentum"}


@pytest.mark.parametrize(
    ("optimizer", "used"),
    [
        ("sgd", {"momentum": 0.5}),
        ("sgd", {"momentum": 0.9, "nesterov": True}),
        ("adam", {"momentum": 0.5}),
        ("adam", {"beta2": 0.5}),
        ("adamw", {"eps": 1e-3}),
        ("adadelta", {"rho": 0.5}),
        ("adadelta", {"eps": 1e-3}),
        ("sgd", {"weight_decay": 1e-4}),
        ("sgd", {"weight_decay": 1e-4, "decay": "kernels"}),
        ("sgd", {"clip_norm": 1.0}),
        ("sgd", {"lr": (0.1, 0.2)}),
        ("sgd", {"reset": True}),
        ("muon", {"momentum": 0.5}),
        ("lbfgs", {"history_size": 3}),
        ("lbfgs", {"max_iter": 9}),
        ("lbfgs", {"line_search": "strong_wolfe"}),
        ("kfac", {"momentum": 0.5}),
        ("kfac", {"damping": 0.1}),
        ("kfac", {"refresh": 5}),
        *(("sgd", used) for used in ({"batches_per_step": 2}, {"average": (0.0, 1.0)}, {"adopt": 1.0})),
    ],
)
def test_what_the_optimizer_uses_is_part_of_the_settings(optimizer, used):
    plain = Settings(optimizer, lr=0.1, momentum=0.9)
    changed = Settings(**({"optimizer": optimizer, "lr": 0.1, "momentum": 0.9} | used))
    assert (changed == plain) == (changed.to_dict() == plain.to_dict())
    assert changed != plain


def test_the_decay_of_all_parameters_and_of_kernels_differ_only_with_weight_decay():
    kernels = Settings("sgd", lr=0.1, weight_decay=1e-4, decay="kernels")
    assert kernels.to_dict()["decay"] == "kernels"
    assert "decay" not in Settings("sgd", lr=0.1, decay="kernels").to_dict()


@pytest.mark.parametrize(("optimizer", "eps"), [("adam", 1e-8), ("adamw", 1e-8), ("adadelta", 1e-6), ("sgd", None)])
def test_an_eps_that_is_not_given_is_the_default_of_torch(optimizer, eps):
    torch = pytest.importorskip("torch")
    assert Settings(optimizer, lr=0.1).eps == eps
    if eps is not None:
        name = {"adam": "Adam", "adamw": "AdamW", "adadelta": "Adadelta"}[optimizer]
        assert getattr(torch.optim, name)([torch.nn.Parameter(torch.zeros(1))]).defaults["eps"] == eps


@pytest.mark.parametrize(
    "settings",
    [
        Settings("sgd", lr=(0.1, 0.2), momentum=0.9, nesterov=True, weight_decay=1e-4, decay="kernels", clip_norm=1.0),
        Settings("adamw", lr=1e-3, momentum=(0.8, 0.9), weight_decay=0.1, reset=True),
        Settings("adadelta", lr=1.0, rho=0.95),
        Settings("sgd", lr=(0.1, 0.2, 0.3), batches_per_step=2, average=(0.99, 0.01), adopt=1.1),
        Settings("muon", lr=0.02, weight_decay=0.1),
        Settings("lbfgs", lr=1.0, history_size=5, max_iter=8, line_search="strong_wolfe"),
        Settings("kfac", lr=0.1, momentum=0.9, damping=1e-3, refresh=5, reset=True),
    ],
)
def test_settings_survive_json(settings):
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_optimizers_that_share_buffers_are_one_family():
    families = {name: Settings(name, lr=0.1).family for name in OPTIMIZER_FAMILIES}
    assert families.pop("adamw") == "adam"
    assert all(name == family for name, family in families.items())


def test_settings_that_use_nothing_new_are_written_as_they_always_were():
    written = Settings("sgd", lr=0.1, momentum=0.9, weight_decay=1e-4).to_dict()
    assert list(written) == ["optimizer", "lr", "weight_decay", "momentum", "nesterov", "decay"]


def test_batches_that_share_a_step_take_the_value_of_the_first():
    told = Settings("sgd", lr=(0.1, 0.2, 0.3, 0.4, 0.5), momentum=(0.5, 0.6, 0.5, 0.7, 0.5), batches_per_step=2)
    assert (told.lr, told.momentum) == ((0.1, 0.1, 0.3, 0.3, 0.5), 0.5)
    assert Settings("sgd", lr=(0.1, 0.2), batches_per_step=2) == Settings("sgd", lr=0.1, batches_per_step=2)


def test_a_step_has_its_own_value_or_that_of_the_epoch():
    assert (at_step((0.1, 0.2), 1), at_step(0.3, 1)) == (0.2, 0.3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"optimizer": "lion"}, "received 'lion'. Choose one of: sgd, adam, adamw, adadelta"),
        ({"lr": float("nan")}, "lr must be finite and at least 0: received nan. Give"),
        ({"lr": (0.1, -0.1)}, "lr must be finite and at least 0: received -0.1. Give"),
        ({"lr": ()}, "lr needs a value for every step: received an empty tuple. Give one value per step"),
        ({"momentum": 1.0}, r"momentum must lie in \[0, 1\): received 1.0. Give"),
        ({"weight_decay": -1.0}, "weight_decay must be finite and at least 0: received -1.0. Give"),
        ({"clip_norm": 0.0}, "clip_norm must be finite and above 0: received 0.0. Give"),
        ({"optimizer": "lbfgs", "clip_norm": 1.0}, "lbfgs needs the gradients of its objective as they are"),
        ({"history_size": 0}, "history_size must be an integer of at least 1: received 0. Keep"),
        ({"max_iter": 1.5}, "max_iter must be an integer of at least 1: received 1.5. Give"),
        ({"refresh": 0}, "refresh must be an integer of at least 1: received 0. Give"),
        ({"batches_per_step": 0}, "batches_per_step must be an integer of at least 1: received 0. A step"),
        ({"damping": 0.0}, "damping must be finite and above 0: received 0.0. Give"),
        ({"line_search": "armijo"}, "line search must be a known name: received 'armijo'. Choose one of: none, strong"),
        ({"average": 1.0}, r"average must be a pair \(keep, weight\): received 1.0. Give two"),
        ({"average": (1.1, 1.0)}, r"keep of an average must lie in \[0, 1\]: received 1.1. Give"),
        ({"average": (1.0, 0.0)}, "weight of an average must be finite and above 0: received 0.0. Give"),
        ({"adopt": -1.0}, "adopt must be finite and at least 0: received -1.0. Give"),
        ({"lr": (0.1, -0.1), "batches_per_step": 2}, "lr must be finite and at least 0: received -0.1. Give"),
        ({"decay": "biases"}, "decay must be a known name: received 'biases'. Choose one of: all, kernels"),
        (
            {"lr": (0.1, 0.2), "momentum": (0.1, 0.2, 0.3)},
            "one length, .* received {'lr': 2, 'momentum': 3}. Give as many",
        ),
    ],
)
def test_settings_that_cannot_be_applied_are_refused(fields, message):
    with pytest.raises(ScheduleError, match=message):
        Settings(**({"optimizer": "sgd", "lr": 0.1} | fields))


def test_settings_of_unknown_fields_are_refused():
    with pytest.raises(ScheduleError, match=r"has only the fields optimizer, lr, .* received 'learning_rate'\. Remove"):
        Settings.from_dict({"optimizer": "sgd", "lr": 0.1, "learning_rate": 0.1})
    with pytest.raises(ScheduleError, match=r"needs optimizer, lr: .* Add lr"):
        Settings.from_dict({"optimizer": "sgd"})
