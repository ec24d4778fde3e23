"""Tables of positions: learned for the grid of one size of image, and resampled for the grid of another."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Layout:
    """A table of (rows, channels): a square grid, row by row, and rows that stand for no place in it."""

    names: re.Pattern[str]
    """Tensors that are laid out like this."""
    around: tuple[tuple[int, int], ...]
    """How many rows there can be in front of the grid and behind it."""

    def rows_around(self, *rows: int) -> tuple[int, int] | None:
        """So many that squares remain of each number of rows; None if there are no such numbers."""
        return next((around for around in self.around if all(_is_square(count - sum(around)) for count in rows)), None)


LAYOUTS = (
    # One vector for each patch, behind those of the class and distillation tokens. Queries have no places.
    Layout(re.compile(r"(?<!query_)position_embeddings?(\.weight)?$|\bwpe\.weight$"), around=((0, 0), (1, 0), (2, 0))),
    # One bias for each distance down and right between two patches, then those from, to and of the class token.
    Layout(re.compile(r"relative_position_bias_table$"), around=((0, 3), (0, 0))),
)


def resample_tables(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those tables of `weights` whose grid has another size in `own`, with grids of that size."""
    tables = {}
    for name in (name for name, value in weights.items() if name in own and own[name].shape != value.shape):
        layout = next((layout for layout in LAYOUTS if layout.names.search(name)), None)
        table = _resample(weights[name], own[name], layout) if layout else None
        if table is not None:
            tables[name] = table
    return tables


def _resample(table: Tensor, wanted: Tensor, layout: Layout) -> Tensor | None:
    """None for a table that differs in more than the size of its grid."""
    if table.shape[:-2] != wanted.shape[:-2] or table.shape[-1] != wanted.shape[-1]:
        return None
    around = layout.rows_around(table.shape[-2], wanted.shape[-2])
    if around is None:
        return None
    ahead, behind = around
    rows = table.reshape(-1, table.shape[-1])
    before, grid, after = rows.split([ahead, len(rows) - ahead - behind, behind])
    side = math.isqrt(wanted.shape[-2] - ahead - behind)
    return torch.cat([before, resize_grid(grid, side), after]).reshape(wanted.shape)


def resize_grid(grid: Tensor, side: int) -> Tensor:
    """(n², channels) as (side², channels), with the same picture on it."""
    old = math.isqrt(len(grid))
    picture = grid.T.reshape(1, -1, old, old)
    resized = functional.interpolate(picture, size=(side, side), mode="bicubic", align_corners=False)
    return resized.flatten(2)[0].T


def _is_square(number: int) -> bool:
    return number > 0 and math.isqrt(number) ** 2 == number
