"""Settings that several frameworks have, described once.

A model of hyper-parameters takes them as `horizontal_flip: float = common_settings.horizontal_flip()`, in the
order in which its form shows them. Settings that mean something else to one framework are described by it, with
`setting`.
"""

from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.config import JsonDict


def setting(
    default: Any,
    title: str,
    description: str,
    *,
    basic: bool = False,
    section: str | None = None,
    unit: str | None = None,
    **limits: Any,
) -> Any:
    """Return a field that a form can show: name, explanation, unit, whether beginners see it, and if not, where."""
    extra: JsonDict = {"group": "basic" if basic else "advanced"}
    extra |= {"section": section} if section else {}
    extra |= {"unit": unit} if unit else {}
    return Field(default, title=title, description=description, json_schema_extra=extra, **limits)


Scheduler = Literal["cosine", "linear", "constant"]
Workers = Literal["auto"] | Annotated[int, Field(ge=0, le=64)]


def scheduler() -> Any:
    return setting(
        "cosine", "Learning rate schedule", "How the learning rate falls after the warm-up, step by step.", basic=True
    )


def warmup(default: float) -> Any:
    return setting(
        default,
        "Warm-up",
        "Share of all steps in which the learning rate rises evenly from zero to its full value.",
        ge=0,
        le=0.5,
        basic=True,
        unit="share of training",
    )


def final_lr() -> Any:
    return setting(
        0.01,
        "Final learning rate",
        "Where the schedule ends, as a share of the learning rate. A constant schedule does not use it.",
        ge=0,
        le=1,
        unit="share of learning rate",
    )


def weight_decay(default: float, *, advice: str = "", unit: str | None = None) -> Any:
    description = "Pull of the weights towards zero; biases and norm layers are left out."
    return setting(default, "Weight decay", f"{description} {advice}".strip(), ge=0, le=1, basic=True, unit=unit)


def clip_grad_norm(default: float) -> Any:
    return setting(
        default,
        "Gradient clipping",
        "Largest norm of the gradient of all weights together; 0 does not clip.",
        ge=0,
        le=1000,
    )


def accumulation_steps() -> Any:
    return setting(
        1,
        "Gradient accumulation",
        "Batches whose gradients make one optimizer step: the effect of a larger batch in less memory.",
        ge=1,
        le=1024,
        unit="batches",
    )


def label_smoothing() -> Any:
    return setting(
        0.0,
        "Label smoothing",
        "Share of the target that is spread over all classes. Validation does not use it.",
        ge=0,
        lt=1,
        basic=True,
    )


def min_crop() -> Any:
    return setting(
        0.6,
        "Smallest crop",
        "Random crops show at least this share of the image's area; 1 shows all of it.",
        gt=0,
        le=1,
        basic=True,
        unit="share of area",
    )


def horizontal_flip() -> Any:
    return setting(
        0.5,
        "Horizontal flip",
        "Chance that an image is mirrored. Set 0 where left and right mean something, as in text.",
        ge=0,
        le=1,
        basic=True,
        unit="probability",
    )


def vertical_flip() -> Any:
    return setting(
        0.0,
        "Vertical flip",
        "Chance that an image is turned upside down; useful for views from above.",
        ge=0,
        le=1,
        basic=True,
        unit="probability",
    )


def rotation() -> Any:
    return setting(
        0.0,
        "Rotation",
        "Images are turned by a random angle of up to this much either way.",
        ge=0,
        le=180,
        basic=True,
        unit="degrees",
    )


def color_jitter() -> Any:
    return setting(
        0.1,
        "Colour jitter",
        "How far brightness, contrast and saturation are changed at random.",
        ge=0,
        le=1,
        basic=True,
    )


def random_erasing(*, section: str | None = None, **limits: Any) -> Any:
    return setting(
        0.0,
        "Random erasing",
        "Chance that a random rectangle of the image is blanked.",
        section=section,
        unit="probability",
        ge=0,
        **limits,
    )


def workers() -> Any:
    return setting(
        "auto",
        "Data workers",
        "Processes that read images. auto: none on the CPU, which is busy training, else up to 8. The result does "
        "not depend on it.",
        unit="processes",
    )
