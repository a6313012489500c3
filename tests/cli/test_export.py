"""`mlctl job export` where MLflow is not installed."""

from importlib.util import find_spec

import pytest

from tests.jobs.lab import Lab


@pytest.mark.skipif(find_spec("mlflow") is not None, reason="MLflow is installed here")
def test_without_the_extra(tmp_path, mlctl):
    Lab(tmp_path).version()
    done = mlctl("job", "export", "demo", "--to", "mlflow", "--tracking-uri", "./runs")
    assert done.returncode == 2
    assert done.stderr.endswith(
        "exporting to MLflow needs its client, which is not installed here\nhint: pip install 'mlctl[mlflow]'\n"
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--to", "excel"], 2, "excel"),
        (["--version", "v1"], 2, "--version without a job"),
        (["nope", "--tracking-uri", "./runs"], 4, "there is no job 'nope'"),
    ],
    ids=str,
)
def test_what_cannot_be_exported(mlctl, arguments, code, message):
    done = mlctl("job", "export", *arguments)
    assert done.returncode == code and message in done.stderr


def test_nothing_to_export(mlctl):
    done = mlctl("job", "export", "--tracking-uri", "./runs")
    assert (done.returncode, done.stderr) == (0, "no jobs yet: nothing to export\n")
