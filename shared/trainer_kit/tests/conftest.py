from collections.abc import Iterator
from pathlib import Path

import pytest

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.testing.fake_adapter import ADAPTER_PATH
from trainer_kit.testing.images import make_imagefolder
from trainer_kit.testing.service_process import ServiceProcess, running_service
from trainer_kit.testing.specs import make_fake_spec
from vision_contracts import JobSpec


@pytest.fixture(scope="session")
def dataset_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_imagefolder(tmp_path_factory.mktemp("dataset") / "colors")


@pytest.fixture(scope="session")
def service(dataset_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """One for all tests that leave it as they found it."""
    data_dir = tmp_path_factory.mktemp("service") / "data"
    with running_service(ADAPTER_PATH, data_dir, [dataset_path.parent], SLOTS="8") as service:
        yield service


@pytest.fixture
def spec(service: ServiceProcess, dataset_path: Path) -> JobSpec:
    """A job for the shared service."""
    return make_fake_spec((service.data_dir / "storage").as_uri(), dataset_path.as_uri())


@pytest.fixture
def folder(tmp_path: Path, dataset_path: Path) -> AttemptFolder:
    """An attempt of its own, without a service."""
    spec = make_fake_spec((tmp_path / "storage").as_uri(), dataset_path.as_uri())
    folder = AttemptFolder.at(tmp_path, spec.job_uid, 1)
    folder.path.mkdir(parents=True)
    folder.spec_file.write_text(spec.model_dump_json())
    return folder
