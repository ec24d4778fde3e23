"""The training service of Hugging Face transformers."""

from functools import partial

from trainer_kit.server import serve

main = partial(serve, "huggingface_service.adapter:adapter")
