from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.pip_settings import DEFAULT_INDEX, PipSettings, pip_settings


@pytest.fixture(autouse=True)
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "CERT", "TRUSTED_HOST", "NO_INDEX"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    for name in (
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "UV_EXTRA_INDEX_URL",
        "UV_FIND_LINKS",
        "SSL_CERT_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex_url = https://mirror.example/simple/\nextra-index-url =\n  https://a.example\n  https://b.example\n"
        f"find-links = {tmp_path} /gone\ncert = /ca.pem\ntrusted-host = mirror.example\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    return file


def test_the_settings_file_is_read(own_files: Path) -> None:
    assert pip_settings() == PipSettings(
        index_url="https://mirror.example/simple",
        extra_index_urls=("https://a.example", "https://b.example"),
        find_links=(str(own_files.parent), "/gone"),
        cert="/ca.pem",
        trusted_hosts=("mirror.example",),
    )


def test_the_install_section_overrides_and_the_environment_wins(
    own_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_files.write_text("[install]\nindex-url = https://two\nno-index = yes\n[global]\nindex-url = https://one\n")
    assert pip_settings().index_url == "https://two"
    assert pip_settings().no_index
    monkeypatch.setenv("PIP_INDEX_URL", "https://three")
    monkeypatch.setenv("PIP_NO_INDEX", "0")
    assert pip_settings().index_url == "https://three"
    assert not pip_settings().no_index


def test_null_device_as_file_means_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    assert pip_settings() == PipSettings()
    assert pip_settings().index_url == DEFAULT_INDEX


def test_a_malformed_file_is_named(own_files: Path) -> None:
    own_files.write_text("index-url = no section\n")
    with pytest.raises(UsageError, match=str(own_files)):
        pip_settings()


def test_a_user_without_a_home_has_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    assert pip_settings() == PipSettings()


def test_uv_gets_the_same_settings_unless_the_user_set_its_own(
    own_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = pip_settings().uv_environment()  # without the folder that is gone, at which uv would stop
    assert environment == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://a.example https://b.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": str(own_files.parent),
        "SSL_CERT_FILE": "/ca.pem",
        "UV_INSECURE_HOST": "mirror.example",
    }
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mine.example")
    monkeypatch.setenv("UV_INDEX", "https://mine.example/2")
    monkeypatch.setenv("SSL_CERT_FILE", "/mine.pem")
    assert set(pip_settings().uv_environment()) == {"UV_FIND_LINKS", "UV_INSECURE_HOST"}
    assert PipSettings().uv_environment() == {}
