"""Initial weights of a model: random ones, or those of the hub or its cache, or of another job's checkpoint."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import huggingface_hub
import torch
from huggingface_hub import constants
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from huggingface_service.architectures import AUTO_MODELS, Architecture
from huggingface_service.checkpoint import Checkpoint
from huggingface_service.config import Hyperparameters
from huggingface_service.model import build_model
from huggingface_service.position_embeddings import resample_position_embeddings
from trainer_kit.trainer import TrainingError, TrainingRun
from vision_contracts import EndReason, LogLevel, TaskType

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
REACHABLE_WITHIN_SECONDS = 4.0
NAMES_TO_SHOW = 6


def initial_model(
    run: TrainingRun[Hyperparameters],
    architecture: Architecture,
    config: PreTrainedConfig,
    *,
    resumed: Checkpoint | None,
    initial: Checkpoint | None,
) -> PreTrainedModel:
    """Build the model that training begins with, and log what was loaded into it."""
    task = run.spec.task_type
    if resumed is not None:
        model = build_model(config, task)
        model.load_state_dict(resumed.model)
        return model
    if initial is not None:
        return copy_weights(run, build_model(config, task), initial.model)
    if run.spec.initial_weights == "pretrained":
        return load_pretrained(run, architecture, config, task)
    run.log("The model starts from random weights.")
    return build_model(config, task)


def copy_weights(
    run: TrainingRun[Hyperparameters],
    model: PreTrainedModel,
    weights: Mapping[str, Tensor],
    *,
    unused: Iterable[str] = (),
) -> PreTrainedModel:
    """Copy the tensors that fit the model; position embeddings are resampled for its size of images."""
    own = model.state_dict()
    resampled = resample_position_embeddings(weights, own)
    available = {**weights, **resampled}
    fitting = {name: value for name, value in available.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE,
            "None of the initial checkpoint's tensors fits this model. Choose a checkpoint of the same model.",
        )
    model.load_state_dict(fitting, strict=False)
    _log_loaded(
        run,
        len(fitting),
        resampled=sorted(resampled),
        new=sorted(own.keys() - fitting.keys()),
        unused=sorted({*unused, *(weights.keys() - fitting.keys())}),
    )
    return model


def load_pretrained(
    run: TrainingRun[Hyperparameters], architecture: Architecture, config: PreTrainedConfig, task: TaskType
) -> PreTrainedModel:
    if architecture.hub_id is None:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE,
            f"{architecture.name!r} is an architecture without weights. Train it from scratch, or choose one of the "
            f"pretrained models of its family.",
        )
    folder = find_pretrained(architecture.hub_id).parent
    # Loaded at the size of image that they are made for: at any other the library drops tables of positions.
    published, info = AUTO_MODELS[task].from_pretrained(
        folder,
        config=architecture.labelled_config(task, class_names=list((config.id2label or {}).values())),
        dtype=torch.float32,  # some files are in 16 bits, in which training diverges
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        local_files_only=True,
    )
    random = {*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])}
    weights = {name: value for name, value in published.state_dict().items() if name not in random}
    return copy_weights(run, build_model(config, task), weights, unused=info["unexpected_keys"])


def find_pretrained(hub_id: str) -> Path:
    """The weights in the local cache, fetched from the hub if need be.

    Raises TrainingError with `weights_unavailable` within seconds if they cannot be had.
    """
    for name in WEIGHT_FILES:
        cached = huggingface_hub.try_to_load_from_cache(hub_id, name)
        if isinstance(cached, str):
            return Path(cached)
    if constants.HF_HUB_OFFLINE:
        raise _unavailable(hub_id, "the hub is switched off by HF_HUB_OFFLINE")
    # The hub's own client tries again for 23 seconds before it gives up.
    try:
        huggingface_hub.get_session().head(constants.ENDPOINT, timeout=REACHABLE_WITHIN_SECONDS)
    except Exception as error:  # the hub's HTTP library is no dependency of ours
        raise _unavailable(hub_id, f"{constants.ENDPOINT} cannot be reached") from error
    return _download(hub_id)


def _download(hub_id: str) -> Path:
    for name in WEIGHT_FILES:
        try:
            return Path(huggingface_hub.hf_hub_download(hub_id, name))
        except huggingface_hub.errors.EntryNotFoundError:
            continue
        except (OSError, huggingface_hub.errors.HfHubHTTPError) as error:
            raise _unavailable(hub_id, str(error).splitlines()[0]) from error
    raise _unavailable(hub_id, f"the repository has none of {', '.join(WEIGHT_FILES)}")


def _unavailable(hub_id: str, reason: str) -> TrainingError:
    return TrainingError(
        EndReason.WEIGHTS_UNAVAILABLE,
        f"The weights of {hub_id} are not in the cache ({constants.HF_HUB_CACHE}), and {reason}. Give the training "
        f"service access to the hub, mount a cache that holds them (HF_HOME), start from the checkpoint of an earlier "
        f"job, or train from scratch.",
    )


def _log_loaded(
    run: TrainingRun[Hyperparameters],
    loaded: int,
    *,
    resampled: Sequence[str],
    new: Sequence[str],
    unused: Sequence[str],
) -> None:
    run.log(f"{loaded} tensors of weights loaded.")
    if resampled:
        run.log(f"{len(resampled)} tables of positions are resampled for this size of image: {_some(resampled)}.")
    if new:
        run.log(f"{len(new)} tensors start from random values: {_some(new)}.", LogLevel.WARNING)
    if unused:
        run.log(f"{len(unused)} tensors of the checkpoint are not used: {_some(unused)}.")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMES_TO_SHOW]) + (", …" if len(names) > NAMES_TO_SHOW else "")
