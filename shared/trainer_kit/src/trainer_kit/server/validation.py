"""Validation of job specifications, before anything is started and without a machine-learning library."""

from pathlib import Path

from pydantic import ValidationError

from data_kit import ObjectStore
from http_kit.problems import field_path
from trainer_kit.adapter import Adapter, entry_point
from trainer_kit.catalog import Catalog
from trainer_kit.devices import device_count_error
from trainer_kit.hyperparameters import max_devices, optimizer_names
from trainer_kit.runner.inputs import local_path
from trainer_kit.server.problems import InvalidSpec
from vision_contracts import FieldProblem, JobKind, JobSpec, ModelCard


class SpecValidator:
    """Validates specs against the catalogue, the adapter's schemas, and the paths that this machine may use."""

    def __init__(
        self,
        adapter: Adapter,
        catalog: Catalog,
        store: ObjectStore,
        dataset_roots: tuple[Path, ...],
        *,
        gpus: int = 0,
    ) -> None:
        self._adapter = adapter
        self._catalog = catalog
        self._store = store
        self._gpus = gpus
        self._dataset_roots = tuple(root.resolve() for root in dataset_roots)

    def check(self, spec: JobSpec) -> None:
        """Check a spec. Raises InvalidSpec."""
        if spec.framework != self._adapter.framework:
            message = f"This service trains {self._adapter.framework}, not {spec.framework}."
            raise _invalid("validation_failed", "framework", message)
        if entry_point(self._adapter, spec.kind) is None:
            message = f"The training service of {spec.framework} has no {spec.kind}."
            raise _invalid("kind_not_supported", "kind", message)
        card = self._catalog.cards.get(spec.model_name)
        if card is None:
            raise _invalid("model_unknown", "model_name", f"There is no model {spec.model_name!r} in the catalogue.")
        if spec.task_type not in card.task_types:
            known = ", ".join(card.task_types)
            raise _invalid("task_not_supported", "task_type", f"{spec.model_name} can be trained for {known}.")
        self._check_settings(spec, card)
        self._check_locations(spec)

    def _check_settings(self, spec: JobSpec, card: ModelCard) -> None:
        errors: list[FieldProblem] = []
        try:
            self._adapter.hyperparameters(card).model_validate(spec.hyperparameters)
        except ValidationError as error:
            errors = [
                FieldProblem(field=field_path(("hyperparameters", *one["loc"])), code=one["type"], message=one["msg"])
                for one in error.errors(include_url=False)
            ]
        schema = self._catalog.models.schemas[card.hyperparameters_ref]
        optimizers, devices = optimizer_names(schema), max_devices(schema)
        if spec.params.optimizer not in optimizers:
            message = f"{spec.params.optimizer!r} is none of {', '.join(optimizers)}."
            errors.append(FieldProblem(field="params.optimizer", code="enum", message=message))
        if spec.params.num_devices > devices:
            message = f"{spec.framework} trains on {devices} at most, not on {spec.params.num_devices}."
            errors.append(FieldProblem(field="params.num_devices", code="maximum", message=message))
        elif why_not := device_count_error(spec.params.device, spec.params.num_devices, gpus=self._gpus):
            errors.append(FieldProblem(field="params.num_devices", code="maximum", message=why_not))
        if errors:
            raise InvalidSpec("hyperparameters_invalid", errors)

    def _check_locations(self, spec: JobSpec) -> None:
        if not self._store.contains(spec.output_uri):
            message = f"It does not lie in the storage of this service, {self._store.url}."
            raise _invalid("validation_failed", "output_uri", message)
        if spec.kind is JobKind.PREDICT:
            return
        path = local_path(spec.dataset.uri)
        is_stored = self._store.contains(spec.dataset.uri)
        if path is None and not is_stored:
            message = f"It is neither a folder of this machine nor in the storage of this service, {self._store.url}."
            raise _invalid("dataset_not_visible", "dataset.uri", message)
        if path is None:
            return
        if not is_stored and not any(path.resolve().is_relative_to(root) for root in self._dataset_roots):
            message = f"{path} lies in none of the DATASET_ROOTS of the training service."
            raise _invalid("dataset_not_visible", "dataset.uri", message)
        if not path.exists():
            message = f"{path} does not exist on the machine of the training service."
            raise _invalid("dataset_not_visible", "dataset.uri", message)


def _invalid(code: str, field: str, message: str) -> InvalidSpec:
    return InvalidSpec(code, [FieldProblem(field=field, code=code, message=message)])
