"""Successful trainings with data and weights from storage."""

import hashlib
from pathlib import Path

from data_kit import open_dataset, open_store, write_archive
from trainer_kit.testing.service_process import ServiceProcess
from trainer_kit.testing.specs import bodies, changed
from vision_contracts import Artifact, Checkpoint, Finished, JobEvent, JobSpec, Metrics, metric_names


def first_loss(events: list[JobEvent]) -> float:
    loss = bodies(events, Metrics)[0].values[metric_names.TRAIN_LOSS]
    assert loss is not None
    return loss


def test_an_archived_data_set_trains_and_another_job_starts_from_its_weights(
    service: ServiceProcess, spec: JobSpec, dataset_path: Path, tmp_path: Path
) -> None:
    write_archive(open_dataset(dataset_path), tmp_path / "a.zip")
    store = open_store((service.data_dir / "storage").as_uri())
    uri = store.put_file(tmp_path / "a.zip", "datasets/a.zip").uri
    digest = hashlib.sha256(b"a").hexdigest()
    archived = changed(spec, epochs=3, dataset={"uri": uri, "digest": digest}, hyperparameters={})

    events = list(service.follow(service.begin_ok(archived)))
    ending = events[-1].body
    assert isinstance(ending, Finished)
    assert ending.values[metric_names.VAL_ACCURACY] == 1.0
    assert (service.data_dir / "datasets" / digest).is_dir()

    best = next(one for one in reversed(bodies(events, Checkpoint)) if one.is_best)
    weights = {"uri": best.uri, "sha256": best.sha256}
    forked = service.begin_ok(changed(archived, attempt=2, initial_weights=weights))
    assert first_loss(list(service.follow(forked))) < first_loss(events) / 2


def test_output_of_the_trainer_is_stored(service: ServiceProcess, spec: JobSpec) -> None:
    noisy = changed(spec, epochs=2, hyperparameters={"misbehaviour": "flood"})
    events = list(service.follow(service.begin_ok(noisy)))
    log = bodies(events, Artifact)[-1]
    assert (log.name, log.kind) == ("logs/output.log", "log")
    assert open_store((service.data_dir / "storage").as_uri()).read_bytes(log.uri).endswith(b"line 19999\n")


def test_the_runners_log_names_the_request_that_started_it(service: ServiceProcess, spec: JobSpec) -> None:
    requested = changed(spec, epochs=1, hyperparameters={}, request_id="3f9c1d2e-request")
    list(service.follow(service.begin_ok(requested)))

    [ending] = [line for line in service.folder(requested).runner_log.read_text().splitlines() if "has ended" in line]
    assert ending.endswith("the attempt has ended: finished  [3f9c1d2e]")
