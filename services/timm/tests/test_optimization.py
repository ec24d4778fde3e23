"""Learning rate, optimizers, loss."""

import io
from pathlib import Path

import pytest
import torch
from torch import nn
from trainings import get_card, make_spec, open_shapes

from timm_service.adapter import adapter
from timm_service.config import Hyperparameters
from timm_service.data import Batches
from timm_service.optimization import (
    class_weights,
    learning_rate,
    make_loss,
    make_mix,
    make_optimizer,
    sample_weights,
)
from trainer_kit.catalog import load_catalog
from trainer_kit.hyperparameters import optimizer_names

SCHEMAS = load_catalog(adapter.catalog_file).models.schemas
OPTIMIZERS = optimizer_names(next(iter(SCHEMAS.values())))


def small_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 3))


def test_the_learning_rate_rises_to_the_users_and_falls_to_its_share() -> None:
    settings = Hyperparameters(warmup=0.1, final_lr=0.01)
    rates = [learning_rate(step, 100, 0.5, settings) for step in range(1, 101)]
    assert rates[:10] == pytest.approx([0.05 * step for step in range(1, 11)])
    assert max(rates) == rates[9] == 0.5
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] == pytest.approx(0.005)


def test_schedules_differ_only_after_the_warmup() -> None:
    cosine, linear, constant = (
        [learning_rate(step, 40, 1.0, Hyperparameters(scheduler=name, warmup=0.25)) for step in (5, 10, 25, 40)]
        for name in ("cosine", "linear", "constant")
    )
    assert cosine[:2] == linear[:2] == constant[:2] == [0.5, 1.0]
    assert constant[2:] == [1.0, 1.0]
    assert linear[2] == pytest.approx(0.505)
    assert cosine[2] == pytest.approx(0.505)
    assert cosine[3] == linear[3] == pytest.approx(0.01)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_trainings_have_a_learning_rate(steps: int) -> None:
    assert all(learning_rate(step, steps, 1.0, Hyperparameters()) > 0 for step in range(1, steps + 1))


def test_the_contracts_optimizers_are_there() -> None:
    assert {"sgd", "adam", "adamw", "rmsprop"} <= set(OPTIMIZERS)
    assert len(OPTIMIZERS) > 60
    assert len(set(OPTIMIZERS)) == len(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_steps_with_the_users_learning_rate_and_can_be_resumed(name: str) -> None:
    spec = make_spec(get_card("test_resnet"), "scratch", {"optimizer": name, "learning_rate": 0.003})
    model = small_model()
    optimizer = make_optimizer(model, spec.params, Hyperparameters())
    assert {group["lr"] for group in optimizer.param_groups} == {0.003}
    before = [parameter.clone() for parameter in model.parameters()]
    for _ in range(8):  # some change nothing in their first steps
        model(torch.rand(4, 3, 8, 8)).logsumexp(dim=1).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert any(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    make_optimizer(small_model(), spec.params, Hyperparameters()).load_state_dict(torch.load(file, weights_only=True))


@pytest.mark.parametrize("name", ["sgd", "nesterov", "sgdp", "nadamuon", "rmsprop", "adamw"])
def test_a_momentum_of_zero_is_taken_as_it_is(name: str) -> None:
    spec = make_spec(get_card("test_resnet"), "scratch", {"optimizer": name})
    optimizer = make_optimizer(small_model(), spec.params, Hyperparameters(momentum=0.0))
    assert {group["momentum"] for group in optimizer.param_groups if "momentum" in group} <= {0.0}


def test_balanced_sampling_draws_every_class_as_often(shapes: Path) -> None:
    samples = [*open_shapes(shapes)["train"]]
    unbalanced = [sample for sample in samples if sample.class_id != 1] + [s for s in samples if s.class_id == 1][:1]
    batches = Batches(10_000, 100, seed=0, shuffle=True, weights=sample_weights(unbalanced, 3).repeat(589)[:10_000])
    drawn = [unbalanced[index % len(unbalanced)].class_id for batch in batches for index, _ in batch]
    assert [drawn.count(number) / len(drawn) for number in range(3)] == pytest.approx([1 / 3] * 3, abs=0.02)


def test_rare_classes_weigh_more(shapes: Path) -> None:
    samples = [*open_shapes(shapes)["train"]]
    unbalanced = [sample for sample in samples if sample.class_id != 1] + [s for s in samples if s.class_id == 1][:2]
    assert class_weights(unbalanced, 3).tolist() == pytest.approx([0.75, 3.0, 0.75])


def test_label_smoothing_keeps_a_perfect_answer_from_costing_nothing() -> None:
    sure, answer = torch.tensor([[100.0, 0.0]]), torch.tensor([0])
    plain, smooth = (make_loss(Hyperparameters(label_smoothing=s), [], 2, torch.device("cpu")) for s in (0.0, 0.1))
    assert plain(sure, answer).item() == 0
    assert smooth(sure, answer).item() == pytest.approx(5.0)


def test_mixing_gives_shares_of_classes() -> None:
    assert make_mix(Hyperparameters(), 3) is None
    for settings in (Hyperparameters(mixup=1), Hyperparameters(cutmix=1), Hyperparameters(mixup=1, cutmix=1)):
        mix = make_mix(settings, 3)
        assert mix is not None
        _, targets = mix(torch.rand(4, 3, 16, 16), torch.tensor([0, 1, 2, 0]))
        assert targets.shape == (4, 3)
        assert targets.sum(dim=1).tolist() == pytest.approx([1, 1, 1, 1])
