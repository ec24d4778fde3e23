"""Levels and messages of lines of a service's log."""

import logging

import pytest

from vision_api.training_services.service_log import parse


@pytest.mark.parametrize(
    ("line", "level", "message"),
    [
        ("2026-01-31 12:00:00,123 WARNING store: the disk gets full", logging.WARNING, "store: the disk gets full"),
        ("12:00:00.123 ERROR   store: no room", logging.ERROR, "store: no room"),
        ("INFO:     Started", logging.INFO, "INFO:     Started"),
        ("an ERROR of 0.1 %", logging.INFO, "an ERROR of 0.1 %"),
        ("Traceback (most recent call last):", logging.INFO, "Traceback (most recent call last):"),
        ('{"level": "error", "logger": "store", "message": "no room"}', logging.ERROR, "store: no room"),
        ('{"level": "loud", "logger": "a"}', logging.INFO, '{"level": "loud", "logger": "a"}'),
        ('{"half": ', logging.INFO, '{"half": '),
    ],
)
def test_the_level_stays_and_the_time_goes(line: str, level: int, message: str) -> None:
    assert parse(line) == (level, message)
