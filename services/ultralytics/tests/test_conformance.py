from collections.abc import Iterator
from pathlib import Path

import pytest

from trainer_kit.testing.conformance import ServiceConformance
from trainer_kit.testing.service_process import ServiceProcess, running_service


class TestUltralytics(ServiceConformance):
    adapter_path = "ultralytics_service.adapter:adapter"
    model_name = "yolov8n-cls"
    optimizer = "adamw"
    learning_rate = 0.001

    @pytest.fixture(scope="class")
    @classmethod
    def service(cls, dataset_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
        """An environment as deployed: without the folder of settings that the other tests share."""
        data_dir = tmp_path_factory.mktemp("service") / "data"
        with pytest.MonkeyPatch.context() as environment:
            environment.delenv("YOLO_CONFIG_DIR")
            with running_service(cls.adapter_path, data_dir, [dataset_path.parent]) as service:
                yield service

    @pytest.mark.usefixtures("finished")
    def test_the_library_keeps_its_settings_in_the_services_folder(self, service: ServiceProcess) -> None:
        assert list((service.data_dir / "warm" / ".settings").rglob("settings.json"))
