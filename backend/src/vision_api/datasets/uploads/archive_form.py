"""Forms with the archive of a data set."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel

from vision_api.errors import Invalid
from vision_api.kit.multipart import FormRules, ReceivedForm, receive_form

RULES = FormRules(expected="a zip archive as `file`", file_field="file")

Form = TypeVar("Form", bound=BaseModel)


@dataclass(frozen=True)
class Upload:
    """A received form with one file."""

    received: ReceivedForm

    def form(self, model: type[Form]) -> Form:
        """Validate the other fields. Raises as a wrong JSON body does, and Invalid without a file."""
        form = self.received.validate(model)
        if not self.received.files:
            raise Invalid("The form has no file: send a zip archive as `file`.", field="file")
        return form

    @property
    def path(self) -> Path:
        """Path of the file."""
        return self.received.files[0].path


@asynccontextmanager
async def receive_upload(request: Request, folder: Path) -> AsyncGenerator[Upload]:
    """Receive a form with an archive. Raises Invalid or TooLarge. Its file is deleted when the context ends."""
    async with receive_form(request, folder, RULES) as received:
        yield Upload(received)
