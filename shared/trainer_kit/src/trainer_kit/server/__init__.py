"""The HTTP side of every training service."""

from trainer_kit.server.process import serve

__all__ = ["serve"]
