"""The training service of ultralytics."""

from functools import partial

from trainer_kit.server import serve

main = partial(serve, "ultralytics_service.adapter:adapter")
