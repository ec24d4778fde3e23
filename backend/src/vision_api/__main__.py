"""The command `python -m vision_api`, or `vision-api`: the backend, and in local mode the training services too."""

import sys

from vision_api.config import ConfigurationError, Settings, load_settings
from vision_api.kit.logging import configure_logging
from vision_api.main import create_app
from vision_api.migrate import migrate
from vision_api.process.data_dir import own_data_dir
from vision_api.process.errors import StartError
from vision_api.process.server import PlatformServer
from vision_api.process.sockets import listen
from vision_api.training_services import make_source


def main() -> None:
    """Serve until a signal comes. A start that fails is reported in one line, with exit status 1."""
    try:
        settings = load_settings()
        configure_logging(settings.log_format, settings.log_level)
        run(settings)
    except (ConfigurationError, StartError) as error:
        sys.exit(f"vision-api cannot start: {error}")


def run(settings: Settings) -> None:
    """Serve with these settings, until a signal comes.

    Raises ConfigurationError or StartError before anything has been started.
    """
    make_source(settings)  # reports a wrong URL of a service now, and not as a traceback of the lifespan
    with own_data_dir(settings):
        sockets = listen(settings.host, settings.port)
        migrate(settings)
        PlatformServer(create_app(settings), settings).run(sockets=sockets)


if __name__ == "__main__":
    main()
