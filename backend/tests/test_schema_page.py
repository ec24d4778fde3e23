"""The page about the tables that is checked in is the one that the models give."""

from pathlib import Path

from vision_api.models import TrainingJob
from vision_api.schema_page import describe_schema

CHECKED_IN = Path(__file__).resolve().parents[2] / "docs/architecture/DATABASE_SCHEMA.md"


def test_checked_in_page_is_up_to_date() -> None:
    assert CHECKED_IN.read_text() == describe_schema(), "run: make docs"


def test_every_column_of_a_job_stands_on_the_page() -> None:
    page = describe_schema()
    assert all(f"| {column.name} |" in page for column in TrainingJob.__table__.columns)
