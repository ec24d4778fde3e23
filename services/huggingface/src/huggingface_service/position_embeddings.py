"""Position embeddings and relative position biases, resampled from the grid of one size of image to another."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional


def resize_grid(grid: Tensor, side: int) -> Tensor:
    """Resize a grid (n², channels) to (side², channels) by bicubic interpolation."""
    old = math.isqrt(len(grid))
    picture = grid.T.reshape(1, -1, old, old)
    resized = functional.interpolate(picture, size=(side, side), mode="bicubic", align_corners=False)
    return resized.flatten(2)[0].T


def resize_distances(grid: Tensor, side: int) -> Tensor:
    """Resize a grid of distances as `resize_grid` does: both ways from 0, so that what belongs to 0 stays there."""
    old = math.isqrt(len(grid))
    mirrored = torch.arange(1 - old, old).abs()
    whole = grid.reshape(old, old, -1)[mirrored][:, mirrored].flatten(0, 1)
    resized = resize_grid(whole, 2 * side - 1).reshape(2 * side - 1, 2 * side - 1, -1)
    return resized[side - 1 :, side - 1 :].flatten(0, 1)


@dataclass(frozen=True)
class Layout:
    """A table of (rows, channels): a square grid, row by row, and rows that stand for no place in it."""

    names: re.Pattern[str]
    """Tensors that are laid out like this."""
    around: tuple[tuple[int, int], ...]
    """Numbers of rows that there can be before the grid and after it."""
    resize: Callable[[Tensor, int], Tensor] = resize_grid
    is_transposed: bool = False
    """(channels, rows) instead."""

    def rows_around(self, *rows: int) -> tuple[int, int] | None:
        """Return the rows around the grid that leave a square of each number of rows; None if there are none."""
        return next((around for around in self.around if all(_is_square(count - sum(around)) for count in rows)), None)


LAYOUTS = (
    # One vector for each patch, behind those of the class and distillation tokens. Queries have no places.
    Layout(re.compile(r"(?<!query_)position_embeddings?(\.weight)?$|\bwpe\.weight$"), around=((0, 0), (1, 0), (2, 0))),
    # One bias for each distance down and right between two patches, then those from, to and of the class token.
    Layout(re.compile(r"relative_position_bias_table$"), around=((0, 3), (0, 0))),
    # LevIT has one bias for each distance without its sign.
    Layout(re.compile(r"attention_biases$"), around=((0, 0),), resize=resize_distances, is_transposed=True),
)


def resample_position_embeddings(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tables of `weights` whose grid has another size in `own`, resampled to that size."""
    differing = [name for name, value in weights.items() if name in own and own[name].shape != value.shape]
    pairs = ((name, layout) for name in differing for layout in LAYOUTS if layout.names.search(name))
    tables = {name: _resample(weights[name], own[name], layout) for name, layout in pairs}
    return {name: table for name, table in tables.items() if table is not None}


def _resample(table: Tensor, wanted: Tensor, layout: Layout) -> Tensor | None:
    """None for a table that differs in more than the size of its grid."""
    if layout.is_transposed:
        turned = _resample(table.T, wanted.T, replace(layout, is_transposed=False))
        return None if turned is None else turned.T
    if not _are_tables(table, wanted):
        return None
    around = layout.rows_around(table.shape[-2], wanted.shape[-2])
    if around is None:
        return None
    ahead, behind = around
    rows = table.flatten(0, -2)
    before, grid, after = rows.split([ahead, len(rows) - ahead - behind, behind])
    side = math.isqrt(wanted.shape[-2] - ahead - behind)
    return torch.cat([before, layout.resize(grid, side), after]).reshape(wanted.shape)


def _are_tables(*tensors: Tensor) -> bool:
    """(…, rows, channels), with as many channels in each and no other axis longer than one."""
    return len({tensor.shape[-1:] for tensor in tensors}) == 1 and all(
        tensor.dim() >= 2 and tensor.numel() == tensor.shape[-2] * tensor.shape[-1] for tensor in tensors
    )


def _is_square(number: int) -> bool:
    return number > 0 and math.isqrt(number) ** 2 == number
