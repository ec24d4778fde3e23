"""Which version of the platform this is."""

from importlib.metadata import version

VERSION = version("vision-api")
