"""A batch of images in the form that a model takes: for all but two, the pixels as they are."""

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedModel

LEVELS = 8
"""ImageGPT reads an image as a row of colours out of 512: here 8 levels of each channel."""


def model_inputs(model: PreTrainedModel, pixels: Tensor) -> dict[str, Tensor]:
    """Arguments of `model`, which several processes may train, for normalised `pixels` (batch, 3, side, side)."""
    if isinstance(model, DistributedDataParallel):
        model = model.module
    match model.config.model_type:
        case "imagegpt":
            return {"input_ids": color_tokens(pixels)}
        case "siglip2":
            return flat_patches(pixels, model.config.vision_config.patch_size)
        case _:
            return {model.main_input_name: pixels}


def color_tokens(pixels: Tensor) -> Tensor:
    """(batch, side * side) indices of colours, for pixels normalised to -1 … 1."""
    levels = ((pixels + 1) / 2 * LEVELS).floor().clamp(0, LEVELS - 1).long()
    red, green, blue = levels.unbind(1)
    return ((red * LEVELS + green) * LEVELS + blue).flatten(1)


def flat_patches(pixels: Tensor, patch: int) -> dict[str, Tensor]:
    """The image cut into a row of patches, each with its pixels in the order height, width, channel."""
    batch, channels, height, width = pixels.shape
    rows, columns = height // patch, width // patch
    cut = pixels.reshape(batch, channels, rows, patch, columns, patch).permute(0, 2, 4, 3, 5, 1)
    flat = cut.reshape(batch, rows * columns, patch * patch * channels)
    shapes = torch.tensor([[rows, columns]], device=pixels.device).expand(batch, 2)
    mask = torch.ones(flat.shape[:2], dtype=torch.long, device=pixels.device)
    return {"pixel_values": flat, "pixel_attention_mask": mask, "spatial_shapes": shapes}
