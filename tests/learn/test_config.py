"""Settings of `rtfilter learn`: typed, and every mistake named with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from rtfilter.errors import UsageError
from rtfilter.learn.config import Run, built_in, read_document


@dataclass(frozen=True)
class Step:
    """A step's settings, of every type."""

    clips: Path
    rate: float = 0.1
    layers: tuple[int, ...] = (4, 8)
    people: tuple[str, ...] = ()
    noisy: bool = False
    limit: int | None = None
    where: Path = Path("{output}/corpus")

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise UsageError(f"rate: expected a number above 0, got {self.rate}")


def written(folder: Path, text: str) -> Path:
    path = folder / "c.toml"
    path.write_text(text)
    return path


def test_a_table_becomes_a_dataclass(tmp_path: Path) -> None:
    text = '[run]\nseed = 7\n[corpus]\nclips = "~/x"\nrate = 1\nlayers = [1]\npeople = ["a"]\nlimit = 3'
    document = read_document(written(tmp_path, text))
    assert document.run == Run(seed=7)
    step = document.table("corpus", Step)
    assert step == Step(Path.home() / "x", 1.0, (1,), ("a",), limit=3, where=Path("learned/corpus"))
    assert isinstance(step.rate, float)
    assert document.run.folder("corpus") == Path("learned/corpus")


def test_a_path_may_lie_in_the_output(tmp_path: Path) -> None:
    document = read_document(written(tmp_path, '[run]\noutput = "/a"\n[corpus]\nclips = "{output}/b/c"'))
    step = document.table("corpus", Step)
    assert step.clips == Path("/a/b/c")
    assert step.where == Path("/a/corpus")


def test_the_built_in_settings_are_read_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert "small" in built_in()
    for name in built_in():
        assert read_document(name).tables
    Path("small").write_text("[run]\nseed = 9")
    assert read_document("small").run.seed == 9


def test_overrides_lie_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[run]\nseed = 7")
    document = read_document(path, ["run.seed=8", "run.device=cpu", "corpus.clips=/a b", "corpus.layers=[3]"])
    assert document.run == Run(seed=8, device="cpu")
    assert document.table("corpus", Step) == Step(Path("/a b"), layers=(3,), where=Path("learned/corpus"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run\n", "c.toml: not valid TOML"),
        ("\n[corpsu]\n", r"c.toml:2: unknown table 'corpsu': did you mean 'corpus'\?"),
        ("run = 3", r"c.toml:1: run: expected a table \[run\], got 3"),
        ("[track]\nrat = 1\n[corpus]\nrat = 1", r"c.toml:4: unknown key 'rat': did you mean 'rate'\?"),
        ("[corpus]\nrate = 1", r"\[corpus\] lacks clips = a path in quotes"),
        ('[corpus]\nclips = "a"\nrate = "1"', "c.toml:3: rate: expected a number, got '1'"),
        ('[corpus]\nclips = "a"\nrate = true', "rate: expected a number, got True"),
        ('[corpus]\nclips = "a"\nrate = nan', "rate: expected a number, got nan"),
        ('[corpus]\nclips = "a"\nlimit = 1.5', "limit: expected a whole number, got 1.5"),
        ('[corpus]\nclips = "a"\nlayers = 3', "layers: expected a list, each a whole number, got 3"),
        ('[corpus]\nclips = "a"\nlayers = ["b"]', "layers: expected a list, each a whole number"),
        ('[corpus]\nclips = "a"\nnoisy = 1', "noisy: expected true or false, got 1"),
        ("[corpus]\nclips = 3", "clips: expected a path in quotes, got 3"),
        (
            '[corpus]\nclips = "a"\nrate = -1.0',
            r"c.toml: \[corpus\] rate: expected a number above 0, got -1.0",
        ),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_document(written(tmp_path, text)).table("corpus", Step)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("seed=3", "expected TABLE.KEY=VALUE"),
        ("run.seed", "expected TABLE.KEY=VALUE"),
        ("rum.seed=3", "did you mean 'run'"),
        ("run.device=gpu", r"c.toml with --set run.device=gpu: \[run\] device: unknown 'gpu'"),
        ("run.seed=-1", "expected 0 or more"),
        ("run.seed=x", "^--set run.seed=x: seed: expected a whole number, got 'x'"),
        ("run.sed=1", r"^--set run.sed=1: unknown key 'sed': did you mean 'seed'\?"),
    ],
)
def test_overrides_of_bad_form(tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        _ = read_document(written(tmp_path, "[run]\nseed = 3"), [override]).run


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_document(tmp_path / "none.toml")
    with pytest.raises(UsageError, match=r"a folder; expected settings .* small"):
        read_document(tmp_path)
