"""The commands that are advised, by how rtfilter was installed: each is the one for that installation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtfilter.cli.doctor_software import OK, WARN, check_installation
from rtfilter.system import installation
from rtfilter.system.installation import DISTRIBUTION, install_extra, install_packages, reinstall, uninstall


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An environment of its own, without pip, in which no package is installed yet."""
    folder = tmp_path / "my env"
    (folder / "bin").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "executable", str(folder / "bin" / "python"))
    monkeypatch.setattr(sys, "path", [str(folder / "lib")])
    monkeypatch.setattr(installation, "has_pip", lambda: False)
    monkeypatch.setenv("PATH", str(folder / "empty"))
    monkeypatch.setenv("HOME", str(folder))
    installation._installer.cache_clear()
    installation._source.cache_clear()
    yield folder
    installation._installer.cache_clear()
    installation._source.cache_clear()


def program(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def put(
    prefix: Path, name: str = DISTRIBUTION, origin: object = None, entry: str = "", version: str = "0.1.0"
) -> None:
    """A distribution in the environment. origin: what its direct_url.json says."""
    info = prefix / "lib" / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if origin is not None:
        (info / "direct_url.json").write_text(json.dumps(origin))
    if entry:
        (info / "entry_points.txt").write_text(f"[console_scripts]\nrtfilter = {entry}\n")


CHECKOUT = {"url": "file:///src/rt%20filter", "dir_info": {"editable": True}}
FOLDER = {"url": "file:///src/rtfilter", "dir_info": {}}
WHEEL = {"url": "file:///dl/rtfilter_live-0.1.0-py3-none-any.whl", "archive_info": {}}
DOWNLOAD = {"url": "https://host/rtfilter_live-0.1.0-py3-none-any.whl", "archive_info": {}}
GIT = {
    "url": "https://host/r.git",
    "vcs_info": {"vcs": "git", "commit_id": "abc1", "requested_revision": "v1"},
}


@pytest.mark.parametrize(
    ("origin", "what"),
    [
        (None, '"rtfilter-live[gpu]"'),
        (CHECKOUT, '-e "/src/rt filter[gpu]"'),
        (FOLDER, '"/src/rtfilter[gpu]"'),
        (WHEEL, '"/dl/rtfilter_live-0.1.0-py3-none-any.whl[gpu]"'),
        (DOWNLOAD, '"rtfilter-live[gpu] @ https://host/rtfilter_live-0.1.0-py3-none-any.whl"'),
        (GIT, '"rtfilter-live[gpu] @ git+https://host/r.git@v1"'),
    ],
    ids=["index", "checkout", "folder", "wheel", "download", "git"],
)
def test_an_extra_comes_from_where_rtfilter_came(
    prefix: Path, monkeypatch: pytest.MonkeyPatch, origin: object, what: str
) -> None:
    put(prefix, origin=origin)
    monkeypatch.setattr(installation, "has_pip", lambda: True)
    monkeypatch.setenv("PATH", str(program(prefix / "bin" / "pip").parent))
    assert install_extra("gpu") == f"pip install {what}"


def test_a_checkout_that_is_not_installed_installs_itself(prefix: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    assert install_extra("gpu").endswith(f'pip install -e "{root}[gpu]"')


def test_the_shells_pip_is_of_another_environment(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(prefix)
    monkeypatch.setattr(installation, "has_pip", lambda: True)
    monkeypatch.setenv("PATH", str(program(prefix / "elsewhere" / "pip").parent))
    assert install_extra("gpu") == f'"{prefix}/bin/python" -m pip install "rtfilter-live[gpu]"'


def test_an_environment_without_pip(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(prefix)
    python = f'"{prefix}/bin/python"'
    assert install_packages("six") == f"{python} -m ensurepip && {python} -m pip install six"
    installation._installer.cache_clear()
    monkeypatch.setenv("PATH", str(program(prefix / "tools" / "uv").parent))
    assert install_extra("gpu") == f'uv pip install --python {python} "rtfilter-live[gpu]"'
    assert install_packages("av", anew=True) == f"uv pip install --python {python} --reinstall av"
    assert uninstall("rtfilter") == f"uv pip uninstall --python {python} rtfilter"
    assert reinstall() == f"uv pip install --python {python} --reinstall rtfilter-live"


def test_a_tool_of_uv_keeps_its_extras_and_what_lies_beside_it(prefix: Path) -> None:
    put(prefix, origin=WHEEL)
    (prefix / "uv-receipt.toml").write_text(
        "[tool]\nrequirements = [\n"
        '    { name = "rtfilter-live", extras = ["serve"], path = "/dl/x.whl" },\n'
        '    { name = "six", specifier = ">=1" },\n]\n'
    )
    wheel = "/dl/rtfilter_live-0.1.0-py3-none-any.whl"
    assert install_extra("gpu") == f'uv tool install --with "six>=1" "{wheel}[gpu,serve]"'
    assert install_packages("six") == f'uv pip install --python "{prefix}/bin/python" six'
    assert reinstall() == f"uv tool install --reinstall {wheel}"


def test_pipx_injects(prefix: Path) -> None:
    put(prefix, origin=CHECKOUT)
    (prefix / "pipx_metadata.json").write_text("{}")
    assert install_extra("gpu") == 'pipx inject "my env" -e "/src/rt filter[gpu]"'
    assert install_packages("av", anew=True, with_needs=False) == (
        'pipx inject "my env" --force --pip-args=--no-deps av'
    )
    assert uninstall("rtfilter") == 'pipx runpip "my env" uninstall -y rtfilter'
    assert reinstall() == 'pipx reinstall "my env"'


def test_doctor_names_another_project_of_the_same_import_name(prefix: Path) -> None:
    put(prefix)
    (alone,) = check_installation()
    assert alone.status == OK
    assert alone.detail.startswith("rtfilter-live 0.1.0 from ")
    put(prefix, "rtfilter")
    _, other = check_installation()
    assert other.status == WARN
    assert other.detail.startswith("rtfilter 0.1.0 is another project of the same import name")
    assert other.fix == f"{uninstall('rtfilter')} && {reinstall()}"


def test_doctor_knows_this_program_under_its_former_name(prefix: Path) -> None:
    put(prefix, "rtfilter", entry="rtfilter.cli:main")
    _, other = check_installation()
    assert other.status == OK
    assert "under its former name" in other.detail


def test_doctor_names_opencvs_that_do_not_fit_together(prefix: Path) -> None:
    put(prefix)
    put(prefix, "opencv-python-headless", version="4.11.0.86")
    put(prefix, "opencv-contrib-python", version="4.9.0.80")
    _, found = check_installation()
    assert (found.name, found.status) == ("opencv", WARN)
    assert found.fix == install_packages(
        "opencv-python-headless==4.11.0.86", "opencv-contrib-python==4.11.0.86", anew=True, with_needs=False
    )


def test_opencvs_of_one_release_go_together(prefix: Path) -> None:
    put(prefix)
    put(prefix, "opencv-python-headless", version="4.11.0.86")
    put(prefix, "opencv-contrib-python", version="4.11.0.86")
    assert len(check_installation()) == 1


def test_a_package_that_covers_a_checkout_is_named_by_every_verb(tmp_path: Path) -> None:
    """As the foreign project does: its folder has no `__init__.py` and is found first, ours behind it."""
    root = Path(__file__).resolve().parents[2]
    put(tmp_path, "rtfilter")
    (tmp_path / "lib" / "rtfilter").mkdir()
    (tmp_path / "lib" / "rtfilter" / "butterworth.py").write_text("")
    code = (
        "import rtfilter; rtfilter.__path__ = [*rtfilter.__path__, sys.argv.pop(1)];"
        "from rtfilter.cli.main import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}", str(root / "rtfilter"), "doctor"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "lib")},
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("rtfilter: rtfilter 0.1.0, another project of the same import name, covers")
    assert "uninstall" in done.stderr


def test_no_other_source_writes_such_a_command() -> None:
    """One that is written out is wrong wherever rtfilter was installed in another way."""
    root = Path(__file__).resolve().parents[2]
    sources = [
        path for folder in ("rtfilter", "engines", "kernels") for path in (root / folder).rglob("*.py")
    ]
    found = [
        str(path.relative_to(root))
        for path in sources
        if path.name != "installation.py" and re.search(r"pip3? install|rtfilter\[", path.read_text("utf-8"))
    ]
    assert len(sources) > 100
    assert not found


def test_every_extra_that_is_advised_exists() -> None:
    root = Path(__file__).resolve().parents[2]
    project = (root / "pyproject.toml").read_text("utf-8")
    extras = set(re.findall(r"^([a-z]+) = \[", project.partition("[project.optional-dependencies]")[2], re.M))
    assert f'name = "{DISTRIBUTION}"' in project
    advised = {
        extra
        for folder in ("rtfilter", "engines", "kernels")
        for path in (root / folder).rglob("*.py")
        for extra in re.findall(r"install_extra\([\"']([a-z]+)[\"']\)", path.read_text("utf-8"))
    }
    assert {"serve", "gpu", "virtualcam"} <= advised <= extras
