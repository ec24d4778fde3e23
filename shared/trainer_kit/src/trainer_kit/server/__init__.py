"""The HTTP side of every training service."""

from trainer_kit.server.serve import serve

__all__ = ["serve"]
