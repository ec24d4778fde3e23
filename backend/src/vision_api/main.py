"""The application: `create_app(settings)` is all that a server or a test needs."""

from fastapi import FastAPI

from vision_api.config import Settings
from vision_api.error_handlers import add_error_handlers
from vision_api.lifespan import lifespan


def create_app(settings: Settings, *, background: bool = True) -> FastAPI:
    """The backend. Nothing starts before its lifespan does.

    `background=False` leaves out the training services and the loops: only HTTP and the database.
    """
    app = FastAPI(title="Vision AI Training Platform", version="0.1.0", lifespan=lifespan)
    app.state.settings = settings
    app.state.background = background
    add_error_handlers(app)
    return app
