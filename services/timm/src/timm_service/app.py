"""The `training-service` command of timm."""

from functools import partial

from trainer_kit.server import serve

main = partial(serve, "timm_service.adapter:adapter")
