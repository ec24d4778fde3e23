"""Tables of positions: what is learned for one size of image serves another."""

import pytest
import torch
from torch import Tensor

from huggingface_service.architectures import find_architecture
from huggingface_service.model import build_model
from huggingface_service.position_embeddings import resample_position_embeddings
from trainer_kit.testing.variants import variants

TYPES = ["clip", "deit", "dpt", "eomt", "hiera", "imagegpt", "perceiver", "pvt", "rf_detr", "siglip", "vit", "vit_msn"]


RELATIVE = [
    "microsoft/beit-base-patch16-224",
    "microsoft/beit-base-finetuned-ade-640-640",
    "facebook/data2vec-vision-base-ft1k",
    "facebook/mask2former-swin-tiny-coco-instance",
    "openmmlab/upernet-swin-tiny",
    "levit",
    "swin",
]

QUICK = ("hiera", "imagegpt", "perceiver", "vit", "levit", "swin", "microsoft/beit-base-patch16-224")
"""A model of each kind of table."""


def shapes(name: str, size: int) -> dict[str, Tensor]:
    """The tensors of a model for images of that size, as zeros that take no memory."""
    architecture = find_architecture(name)
    task = architecture.task_types[0]
    with torch.device("meta"):
        model = build_model(architecture.fitted_config(task, class_names=("a", "b"), image_size=size), task)
    return {name: torch.zeros(()).expand(value.shape) for name, value in model.state_dict().items()}


def ramp(side: int) -> Tensor:
    """(side², 2): how far down and how far right each cell of a grid is, from 0 to 1."""
    middles = (torch.arange(side) + 0.5) / side
    return torch.cartesian_prod(middles, middles)


@pytest.mark.parametrize("name", variants([*TYPES, *RELATIVE], quick=QUICK))
def test_everything_that_depends_on_the_size_of_images_is_resampled(name: str) -> None:
    step = find_architecture(name).size_step
    trained, own = shapes(name, step * 16), shapes(name, step * (4 if name in RELATIVE else 12))

    resampled = resample_position_embeddings(trained, own)

    differing = {name for name in own if own[name].shape != trained[name].shape}
    assert resampled.keys() == differing != set()
    assert all(resampled[name].shape == own[name].shape for name in resampled)


@pytest.mark.parametrize("side", [5, 8, 12])
def test_each_cell_gets_what_was_learned_for_its_place_and_tokens_keep_theirs(side: int) -> None:
    name = "vit.embeddings.position_embeddings"
    tokens = torch.tensor([[7.0, -7.0]])
    trained = {name: torch.cat([tokens, ramp(10)])[None]}

    table = resample_position_embeddings(trained, {name: torch.zeros(1, 1 + side**2, 2)})[name][0]

    assert torch.equal(table[:1], tokens)
    assert torch.allclose(table[1:], ramp(side), atol=0.02)


@pytest.mark.parametrize("window", [3, 5, 9])
@pytest.mark.parametrize("tokens", [torch.empty(0, 2), torch.tensor([[7.0, -7.0], [8.0, 0.0], [0.0, 9.0]])])
def test_each_distance_gets_what_was_learned_for_it(window: int, tokens: Tensor) -> None:
    name = "attention.relative_position_bias_table"
    trained = {name: torch.cat([ramp(2 * 7 - 1), tokens])}
    distances = (2 * window - 1) ** 2

    table = resample_position_embeddings(trained, {name: torch.zeros(distances + len(tokens), 2)})[name]

    assert torch.equal(table[distances:], tokens)
    assert torch.allclose(table[:distances], ramp(2 * window - 1), atol=0.02)
    assert torch.allclose(table[distances // 2], torch.tensor([0.5, 0.5]))


@pytest.mark.parametrize("side", [8, 12, 16])
def test_distances_without_a_sign_begin_at_zero(side: int) -> None:
    name = "attention_biases"
    down, right = torch.cartesian_prod(torch.arange(14.0), torch.arange(14.0)).T / 14

    table = resample_position_embeddings({name: (down**2 + right)[None]}, {name: torch.zeros(1, side**2)})[name][0]

    down, right = torch.cartesian_prod(torch.arange(side), torch.arange(side)).T / side
    assert torch.allclose(table, down**2 + right, atol=0.12)
    assert table[0].abs() < 0.05


@pytest.mark.parametrize(
    ("name", "trained", "own"),
    [
        pytest.param("position_embeddings", (1, 17, 8), (1, 10, 6), id="another-width"),
        pytest.param("position_embeddings", (1, 21, 8), (1, 10, 8), id="no-square"),
        pytest.param("position_embeddings", (2, 16, 8), (2, 9, 8), id="several-tables"),
        pytest.param("position_embedding", (16,), (9,), id="no-channels"),
        pytest.param("query_position_embeddings.weight", (100, 8), (25, 8), id="queries"),
        pytest.param("classifier.weight", (100, 8), (25, 8), id="classes"),
    ],
)
def test_what_is_no_grid_of_positions_is_left_out(name: str, trained: tuple[int, ...], own: tuple[int, ...]) -> None:
    assert resample_position_embeddings({name: torch.zeros(trained)}, {name: torch.zeros(own)}) == {}
