"""A run through the kit's trainer, as the platform starts it; executed by the service's own Python.

Reads a run from its first argument, and prints `{"value": …, "epochs_seconds": […]}` as its last line.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from uuid import UUID

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.imports import import_adapter
from trainer_kit.trainer.exiting import exit_now
from trainer_kit.trainer.main import TrainerInputs, run_attempt
from trainer_kit.trainer.messages import FileReport, Message
from vision_contracts import DatasetRef, Failed, JobSpec, Metrics, TrainingParams, metric_names


def main(run: dict, data: Path, folder: Path) -> int:
    adapter = f"{run['framework']}_service.adapter:adapter"
    import_adapter(adapter)
    spec = JobSpec(
        job_uid=UUID(int=1),
        attempt=1,
        framework=run["framework"],
        model_name=run["model"],
        task_type=run["task_type"],
        dataset=DatasetRef(uri=data.as_uri()),
        output_uri="file:///unused",
        initial_weights="pretrained" if run["pretrained"] else "scratch",
        params=TrainingParams(device="cpu", **{name: run[name] for name in TrainingParams.model_fields if name in run}),
        hyperparameters={"image_size": run["image_size"], **run["hyperparameters"]},
    )
    attempt = AttemptFolder(folder / "1")
    attempt.path.mkdir()
    attempt.spec_file.write_text(spec.model_dump_json())
    os.chdir(attempt.path)
    values: list[float] = []
    seconds: list[float] = []

    def receive(message: Message) -> None:
        if isinstance(message, FileReport):
            (attempt.path / message.path).unlink()
        elif isinstance(message, Failed):
            sys.stderr.write(message.message)
        elif isinstance(message, Metrics) and metric_names.EPOCH_SECONDS in message.values:
            values.append(message.values[run["metric"]] or 0.0)
            seconds.append(message.values[metric_names.EPOCH_SECONDS] or 0.0)

    code = run_attempt(attempt, TrainerInputs(adapter, data), receive)
    print(json.dumps({"value": max(values, default=0.0), "epochs_seconds": seconds}), flush=True)
    shutil.rmtree(attempt.path, ignore_errors=True)
    return code


if __name__ == "__main__":
    exit_now(main(json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
