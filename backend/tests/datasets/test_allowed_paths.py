"""Places that a user may train on or import from."""

from pathlib import Path

import pytest

from vision_api.config import Settings, load_settings
from vision_api.datasets.allowed_paths import check_dataset_path, check_import_uri
from vision_api.errors import Invalid


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "allowed" / "coins").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    return Settings(dataset_roots=(tmp_path / "allowed", tmp_path / "other"), data_dir=tmp_path, service_urls={})


@pytest.mark.parametrize("path", ["allowed", "allowed/coins", "allowed/../allowed/coins/", "other/not there yet"])
def test_a_folder_below_a_root_is_allowed(settings: Settings, tmp_path: Path, path: str) -> None:
    assert check_dataset_path(settings, str(tmp_path / path)) == (tmp_path / path).resolve()


@pytest.mark.parametrize(
    "path",
    [
        "/etc",
        "{root}/secret",
        "{root}/allowed/../secret",
        "{root}/allowed-not",
        "allowed/coins",
        "",
        "{root}/a\0b",
        "~",
    ],
)
def test_a_folder_elsewhere_is_refused_by_field(settings: Settings, tmp_path: Path, path: str) -> None:
    with pytest.raises(Invalid) as raised:
        check_dataset_path(settings, path.format(root=tmp_path))

    assert raised.value.code == "dataset_path_not_allowed"
    assert raised.value.errors is not None
    assert raised.value.errors[0].field == "dataset_path"


def test_a_link_out_of_a_root_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "allowed" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "allowed" / "loop").symlink_to(tmp_path / "allowed" / "loop")

    for name in ("link", "loop"):
        with pytest.raises(Invalid):
            check_dataset_path(settings, str(tmp_path / "allowed" / name))


def test_a_root_that_is_a_link_is_followed(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(tmp_path / "secret")

    assert check_dataset_path(settings, str(tmp_path / "other")) == tmp_path / "secret"


def test_a_prefix_is_allowed_with_all_that_is_below_it(settings: Settings) -> None:
    settings = settings.model_copy(update={"import_prefixes": ("s3://shelf/sets",)})
    for uri in ("s3://shelf/sets", "s3://shelf/sets/", "s3://shelf/sets/a/b.zip"):
        assert check_import_uri(settings, uri) == uri.rstrip("/")
    with pytest.raises(Invalid):
        check_import_uri(settings.model_copy(update={"import_prefixes": ()}), "s3://shelf/sets")


def test_the_setting_takes_prefixes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPORT_PREFIXES", "s3://a/b/, gs://c")
    assert load_settings().import_prefixes == ("s3://a/b", "gs://c")
    for wrong in ("/datasets", "file:///x", "s3://"):
        monkeypatch.setenv("IMPORT_PREFIXES", wrong)
        with pytest.raises(Exception, match="IMPORT_PREFIXES"):
            load_settings()
