import math

import pytest

from trainer_kit.evaluation import History

GOOD = {"val/accuracy": 0.3, "val/loss": 1.0}


@pytest.mark.parametrize("of_nan", [{"val/loss": math.nan}, {"val/accuracy": math.nan}])
@pytest.mark.parametrize("comes_first", [True, False])
def test_a_network_of_nan_is_never_better_than_another(of_nan: dict[str, float], comes_first: bool) -> None:
    diverged = {"val/accuracy": 0.9, "val/loss": 0.5, **of_nan}
    history = History("val/accuracy")
    history.restore(dict(enumerate([diverged, GOOD] if comes_first else [GOOD, diverged], start=1)))
    assert history.best == GOOD


def test_the_first_of_several_networks_of_nan_stays_the_best() -> None:
    history = History("val/accuracy")
    history.restore({epoch: {"val/accuracy": epoch / 10, "val/loss": math.nan} for epoch in (1, 2)})
    assert history.best_epoch == 1
