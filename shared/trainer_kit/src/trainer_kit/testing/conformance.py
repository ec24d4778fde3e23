"""The conformance suite of training services. Each service runs it on itself, over HTTP, with real trainings:

class TestMyService(ServiceConformance):
    adapter_path = "my_service.adapter:adapter"
    model_name = "resnet18"
    hyperparameters = {"image_size": 32}
    optimizer = "sgd"
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import psutil
import pytest

from trainer_kit.runner.inputs import local_path
from trainer_kit.testing.images import make_imagefolder
from trainer_kit.testing.service_process import ServiceProcess, running_service
from trainer_kit.testing.specs import assert_problem, attempt_uri, bodies, changed, computed, sha256_of
from trainer_kit.testing.waiting import wait_until
from vision_contracts import (
    Artifact,
    Cancelled,
    Checkpoint,
    DatasetRef,
    EvaluationReport,
    Failed,
    Finished,
    JobEvent,
    JobSpec,
    Metrics,
    ModelDetail,
    ModelList,
    Progress,
    Started,
    TaskType,
    TrainingParams,
    metric_names,
)

MANY_EPOCHS = 10_000


class ServiceConformance:
    """One service process and four trainings for all tests of the class, which run in their order here."""

    adapter_path: ClassVar[str]
    model_name: ClassVar[str]
    task_type: ClassVar[TaskType] = TaskType.IMAGE_CLASSIFICATION
    epochs: ClassVar[int] = 2
    batch_size: ClassVar[int] = 8
    learning_rate: ClassVar[float] = 0.01
    optimizer: ClassVar[str] = "sgd"
    hyperparameters: ClassVar[dict[str, Any]] = {}
    required_metrics: ClassVar[frozenset[str]] = frozenset(
        {metric_names.TRAIN_LOSS, metric_names.VAL_LOSS, metric_names.LEARNING_RATE}
    )

    @classmethod
    def make_dataset(cls, folder: Path) -> Path:
        """Makes a small data set of three classes in a new folder below `folder`, and returns it."""
        return make_imagefolder(folder / "colors")

    @pytest.fixture(scope="class")
    @classmethod
    def dataset_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return cls.make_dataset(tmp_path_factory.mktemp("dataset"))

    @pytest.fixture(scope="class")
    @classmethod
    def service(cls, dataset_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
        data_dir = tmp_path_factory.mktemp("service") / "data"
        with running_service(cls.adapter_path, data_dir, [dataset_path.parent], SLOTS="1") as service:
            yield service

    @pytest.fixture(scope="class")
    @classmethod
    def template(cls, service: ServiceProcess, dataset_path: Path) -> JobSpec:
        """A job that this service can train, which tests change as needed."""
        job_uid = uuid4()
        return JobSpec(
            job_uid=job_uid,
            attempt=1,
            framework=service.ready().framework,
            model_name=cls.model_name,
            task_type=cls.task_type,
            dataset=DatasetRef(uri=dataset_path.as_uri()),
            output_uri=attempt_uri((service.data_dir / "storage").as_uri(), job_uid, 1),
            params=TrainingParams(
                epochs=cls.epochs,
                batch_size=cls.batch_size,
                learning_rate=cls.learning_rate,
                optimizer=cls.optimizer,
                seed=1,
            ),
            hyperparameters=cls.hyperparameters,
        )

    @pytest.fixture(scope="class")
    @classmethod
    def finished(cls, service: ServiceProcess, template: JobSpec) -> tuple[JobSpec, list[JobEvent]]:
        """A training from its first event to its last."""
        spec = service.begin_ok(template)
        return spec, list(service.follow(spec))

    @pytest.fixture(scope="class")
    @classmethod
    def paused(cls, service: ServiceProcess, template: JobSpec) -> tuple[JobSpec, list[JobEvent]]:
        """A training that was paused after its first checkpoint; while it ran, another one was refused."""
        spec = service.begin_ok(changed(template, job_uid=uuid4(), epochs=MANY_EPOCHS))
        service.wait_for(spec, "checkpoint")
        assert_problem(service.begin(changed(template, job_uid=uuid4())), 409, "no_free_slot")
        assert service.stop(spec, "pause").status_code == 202
        return spec, list(service.follow(spec))

    @pytest.fixture(scope="class")
    @classmethod
    def resumed(
        cls, service: ServiceProcess, paused: tuple[JobSpec, list[JobEvent]]
    ) -> tuple[JobSpec, Checkpoint, Started]:
        """A second attempt that resumes from the newest checkpoint of the first, and runs."""
        spec, events = paused
        checkpoint = bodies(events, Checkpoint)[-1]
        state_uri = checkpoint.state.uri if checkpoint.state else None
        again = service.begin_ok(changed(spec, attempt=2, resume_from_uri=checkpoint.uri, resume_state_uri=state_uri))
        started = service.wait_for(again, "started").body
        assert isinstance(started, Started)
        return again, checkpoint, started

    def test_only_health_is_open(self, service: ServiceProcess) -> None:
        wrong = {"Authorization": "Bearer wrong"}
        assert service.client.get("/health", headers=wrong).status_code == 200
        for path in ("/ready", "/models/list", "/training/jobs", "/metrics"):
            assert_problem(service.client.get(path, headers=wrong), 401, "token_invalid")

    def test_ready_reports_slots_and_devices(self, service: ServiceProcess) -> None:
        ready = service.ready()
        assert (ready.slots, ready.free_slots, ready.draining) == (1, 1, False)
        assert "cpu" in {device.name for device in ready.devices}

    def test_list_of_models_is_complete_and_cached_by_etag(self, service: ServiceProcess) -> None:
        response = service.client.get("/models/list")
        models = ModelList.model_validate_json(response.content)
        assert models.model_count == len(models.models) > 0
        assert len({card.model_name for card in models.models}) == models.model_count
        assert {card.hyperparameters_ref for card in models.models} <= set(models.schemas)
        again = service.client.get("/models/list", headers={"If-None-Match": response.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")

    def test_schema_of_a_model_is_closed_and_describes_the_named_fields(self, service: ServiceProcess) -> None:
        detail = ModelDetail.model_validate_json(service.client.get(f"/models/{self.model_name}").content)
        schema = detail.hyperparameters
        assert schema["additionalProperties"] is False
        assert set(schema["x-named-fields"]) == {
            "epochs", "batch_size", "learning_rate", "optimizer", "num_devices",
        }  # fmt: skip
        assert schema["x-named-fields"]["batch_size"]["default"] == detail.recommended_batch_size
        assert all({"title", "default", "group"} <= set(field) for field in schema["properties"].values())
        assert_problem(service.client.get("/models/no-such-model"), 404, "not_found")

    @pytest.mark.parametrize(
        ("change", "code", "field"),
        [
            ({"model_name": "no-such-model"}, "model_unknown", "model_name"),
            ({"task_type": "?"}, "task_not_supported", "task_type"),
            ({"hyperparameters": {"lerning_rate": 1}}, "hyperparameters_invalid", "hyperparameters.lerning_rate"),
            ({"optimizer": "no-such-optimizer"}, "hyperparameters_invalid", "params.optimizer"),
            ({"num_devices": 64}, "hyperparameters_invalid", "params.num_devices"),
            ({"dataset": {"uri": "file:///etc"}}, "dataset_not_visible", "dataset.uri"),
            ({"dataset": {"uri": "file://{root}/no-such-folder"}}, "dataset_not_visible", "dataset.uri"),
            ({"output_uri": "file:///etc/out"}, "validation_failed", "output_uri"),
            ({"epochs": 0}, "validation_failed", "params.epochs"),
        ],
    )
    def test_refuses_what_it_cannot_train_and_names_the_field(
        self, service: ServiceProcess, template: JobSpec, change: dict[str, Any], code: str, field: str
    ) -> None:
        body = changed(template, job_uid=uuid4()).model_dump(mode="json")
        for name, value in change.items():
            (body["params"] if name in body["params"] else body)[name] = value
        if "task_type" in change:
            body["task_type"] = self._other_task(service)
        body["dataset"]["uri"] = body["dataset"]["uri"].replace("{root}", str(Path(template.dataset.uri[7:]).parent))
        problem = assert_problem(service.client.post("/training/start", json=body), 422, code)
        assert [error.field for error in problem.errors or []] == [field]
        assert service.held() == []

    def test_training_reports_everything_from_start_to_finish(self, finished: tuple[JobSpec, list[JobEvent]]) -> None:
        spec, events = finished
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert isinstance(events[-1].body, Finished), events[-1].body
        started = bodies(events, Started)
        assert [(one.resume_step, one.num_classes) for one in started] == [(0, 3)]
        names = {name for metrics in bodies(events, Metrics) for name in metrics.values}
        assert self.required_metrics <= names
        last = bodies(events, Progress)[-1]
        assert (last.epoch, last.epochs, last.step) == (spec.params.epochs, spec.params.epochs, last.steps)
        assert events[-1].body.values, "the ending carries the metrics of the best checkpoint"

    def test_checkpoints_are_stored_before_they_are_reported(self, finished: tuple[JobSpec, list[JobEvent]]) -> None:
        spec, events = finished
        checkpoints = bodies(events, Checkpoint)
        assert any(checkpoint.is_best for checkpoint in checkpoints)
        assert checkpoints[-1].epoch == spec.params.epochs
        for checkpoint in checkpoints:
            assert checkpoint.uri.startswith(f"{spec.output_uri}/checkpoints/")
            assert sha256_of(checkpoint.uri) == checkpoint.sha256
        assert len({checkpoint.uri for checkpoint in checkpoints}) == len(checkpoints)

    def test_the_report_has_the_metrics_of_the_best_checkpoint(self, finished: tuple[JobSpec, list[JobEvent]]) -> None:
        spec, events = finished
        [artifact] = [one for one in bodies(events, Artifact) if one.name == "report.json"]
        path = local_path(artifact.uri)
        assert path is not None
        report = EvaluationReport.model_validate_json(path.read_bytes())
        assert (report.framework, report.model_name, report.task_type) == (
            spec.framework,
            spec.model_name,
            spec.task_type,
        )
        ending = bodies(events, Finished)[-1]
        best = [one.epoch for one in bodies(events, Checkpoint) if one.is_best][-1]
        assert (report.epoch, report.primary_metric) == (best, metric_names.PRIMARY[self.task_type])
        measured = report.splits["val"].values[report.primary_metric.removeprefix("val/")]
        assert measured == ending.values[report.primary_metric]
        assert report.speed is not None

    @pytest.mark.thorough  # imports the framework once more; the kit's own suite always runs it
    def test_a_fresh_process_computes_the_same_numbers_as_one_that_was_forked(
        self, finished: tuple[JobSpec, list[JobEvent]], dataset_path: Path, tmp_path: Path
    ) -> None:
        with running_service(
            self.adapter_path, tmp_path / "data", [dataset_path.parent], WARM_IDLE_SECONDS="0"
        ) as fresh:
            output_uri = attempt_uri((fresh.data_dir / "storage").as_uri(), finished[0].job_uid, 1)
            spec = fresh.begin_ok(changed(finished[0], output_uri=output_uri))
            assert computed(list(fresh.follow(spec))) == computed(finished[1])

    def test_events_can_be_read_from_any_number_on(
        self, service: ServiceProcess, finished: tuple[JobSpec, list[JobEvent]]
    ) -> None:
        spec, events = finished
        assert service.events(spec, after=3) == events[3:]
        assert list(service.follow(spec, after=len(events))) == []
        beyond = {"after": len(events) + 1, "follow": True}
        assert_problem(service.client.get(f"/training/jobs/{spec.job_uid}/events", params=beyond), 404, "not_found")

    def test_the_same_start_again_starts_nothing(
        self, service: ServiceProcess, finished: tuple[JobSpec, list[JobEvent]]
    ) -> None:
        spec, events = finished
        response = service.begin(spec)
        assert (response.status_code, response.json()["state"]) == (202, "ended")
        assert service.events(spec) == events

    def test_delete_frees_the_disk(self, service: ServiceProcess, finished: tuple[JobSpec, list[JobEvent]]) -> None:
        spec, _ = finished
        address = f"/training/jobs/{spec.job_uid}"
        assert service.client.delete(address).status_code == 204
        assert not service.folder(spec).path.parent.exists()
        assert_problem(service.client.delete(address), 404, "not_found")
        assert_problem(service.client.get(f"/training/status/{spec.job_uid}"), 404, "not_found")

    def test_pause_ends_with_paused_and_frees_the_slot(
        self, service: ServiceProcess, paused: tuple[JobSpec, list[JobEvent]]
    ) -> None:
        _, events = paused
        assert events[-1].body.type == "paused"
        assert service.ready().free_slots == 1

    def test_resume_continues_after_the_step_of_the_checkpoint(
        self, service: ServiceProcess, resumed: tuple[JobSpec, Checkpoint, Started]
    ) -> None:
        spec, checkpoint, started = resumed
        assert started.resume_step == checkpoint.step
        # An attempt that was stopped between an epoch's last step and its validation begins with that validation.
        trained = (step for step, values in _metrics(service, spec) if metric_names.TRAIN_LOSS in values)
        assert next(trained) > checkpoint.step

    def test_an_older_attempt_is_refused_and_what_runs_cannot_be_deleted(
        self, service: ServiceProcess, resumed: tuple[JobSpec, Checkpoint, Started]
    ) -> None:
        spec, _, _ = resumed
        assert_problem(service.begin(changed(spec, attempt=1)), 409, "attempt_superseded")
        assert_problem(service.client.delete(f"/training/jobs/{spec.job_uid}"), 409, "in_use")

    def test_training_outlives_the_service_and_is_found_again(
        self, service: ServiceProcess, resumed: tuple[JobSpec, Checkpoint, Started]
    ) -> None:
        spec, _, _ = resumed
        before, trainer = service.ready(), service.trainer_pid(spec)
        service.kill()
        service.start()
        after = service.ready()
        assert (after.instance_id, after.free_slots) == (before.instance_id, 0)
        assert after.boot_id != before.boot_id
        assert service.trainer_pid(spec) == trainer
        seen = len(service.events(spec))
        wait_until(lambda: len(service.events(spec)) > seen, "another event")

    def test_a_killed_trainer_fails_at_once(
        self, service: ServiceProcess, resumed: tuple[JobSpec, Checkpoint, Started]
    ) -> None:
        spec, _, _ = resumed
        pid = service.trainer_pid(spec)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: service.events(spec)[-1].is_terminal, "the end", timeout_seconds=5)
        ending = service.events(spec)[-1].body
        assert isinstance(ending, Failed)
        assert ending.reason == "trainer_killed"
        assert not psutil.pid_exists(pid)

    def test_stop_ends_with_cancelled(self, service: ServiceProcess, template: JobSpec) -> None:
        spec = service.begin_ok(changed(template, job_uid=uuid4(), epochs=MANY_EPOCHS))
        service.wait_for(spec, "metrics")
        assert service.stop(spec, "stop").status_code == 202
        assert list(service.follow(spec))[-1].body == Cancelled()

    def _other_task(self, service: ServiceProcess) -> str:
        detail = ModelDetail.model_validate_json(service.client.get(f"/models/{self.model_name}").content)
        return next(task for task in TaskType if task not in detail.task_types)


def _metrics(service: ServiceProcess, spec: JobSpec) -> Iterator[tuple[int, dict[str, float | None]]]:
    for event in service.follow(spec):
        if isinstance(event.body, Metrics):
            yield event.body.step, event.body.values
