import torch

from tune_regimes.training.randomness import global_stream, stream, stream_seed

CPU = torch.device("cpu")


def test_a_stream_depends_on_the_seed_and_on_every_part_of_its_name() -> None:
    epoch = (0, "epoch", 1, "order")
    others = [(1, *epoch[1:]), (0, "epoch", 2, "order"), (0, "epoch", 1, "crop"), (0, "init"), (0,)]
    assert len({stream_seed(*name) for name in (epoch, *others)}) == 6


def test_the_seeds_of_streams_stay_as_they_are_from_version_to_version() -> None:
    assert stream_seed(0, "init") == 8544383447661849045
    assert stream_seed(3, "epoch", 7, "order") == 3426312382652835310


def test_a_stream_starts_anew_each_time_it_is_named() -> None:
    first, second = (torch.rand(5, generator=stream(0, "epoch", 3, "crop")) for _ in range(2))
    assert torch.equal(first, second)


def test_a_global_stream_leaves_the_callers_generator_as_it_was() -> None:
    before = torch.random.get_rng_state()
    with global_stream(CPU, 0, "init"):
        torch.rand(3)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_global_stream_does_not_depend_on_the_callers_generator() -> None:
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        with global_stream(CPU, 0, "init"):
            drawn.append(torch.rand(3))
    assert torch.equal(*drawn)
