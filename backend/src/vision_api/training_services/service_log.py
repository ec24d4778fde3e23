"""Lines of a service's log, logged by the backend with their level and a new time."""

import json
import logging
import re

logger = logging.getLogger("vision_api.services")

_LEVELS = logging.getLevelNamesMapping()
_TEXT = re.compile(r"(?:\d\S* (?:\d\S* )?)?(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)\s+(?P<message>.*)")


def log_line(service: str, line: str) -> None:
    """Log a line with the service's name in front."""
    level, message = parse(line)
    logger.log(level, "[%s] %s", service, message)


def parse(line: str) -> tuple[int, str]:
    """Return level and message of a line, in our text form, in our JSON form, or in any other."""
    if line.startswith("{"):
        try:
            fields = json.loads(line)
            return _LEVELS[fields["level"].upper()], f"{fields['logger']}: {fields['message']}"
        except (ValueError, KeyError, AttributeError):
            return logging.INFO, line
    known = _TEXT.fullmatch(line)
    return (_LEVELS[known["level"]], known["message"]) if known else (logging.INFO, line)
