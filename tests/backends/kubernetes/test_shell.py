import subprocess

import pytest

from orchestrator.backends.kubernetes.shell import beside, kubectl_exec
from orchestrator.config import Context
from orchestrator.errors import NotFoundError

LAB = Context(name="lab", store="s3://b/p", backend="kubernetes", kube_context="lab", namespace="ml")


def test_the_command_line(monkeypatch, tmp_path):
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    argv = kubectl_exec(LAB, "digits-0", ["nvidia-smi", "-L"], terminal=False)
    assert argv[:8] == ["kubectl", "--context", "lab", "--namespace", "ml", "exec", "--stdin", "digits-0"]
    assert argv[8:13] == ["--container", "main", "--", "sh", "-c"] and argv[-2:] == ["nvidia-smi", "-L"]
    assert "--tty" in kubectl_exec(LAB, "digits-0", [], terminal=True)


def test_without_kubectl_the_command_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFoundError) as caught:
        kubectl_exec(LAB, "digits-0", [], terminal=True)
    told = "kubectl --context lab --namespace ml exec --stdin --tty digits-0 --container main -- sh"
    assert caught.value.hint.endswith(told)


def test_a_command_runs_as_the_script_does(tmp_path):
    (tmp_path / "start").mkdir()
    (tmp_path / "work" / "user-job-dir").mkdir(parents=True)
    (tmp_path / "start" / "command").write_text(
        'set -- COLOUR=\'dark blue\' CACHE="$cache" "$python" -u train.py --a=b\n'
    )
    argv = ["sh", "-c", beside(str(tmp_path)), "sh", "sh", "-c", 'echo "$COLOUR"; pwd; echo $#: "$1"', "x", "two words"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert said == f"dark blue\n{tmp_path}/work/user-job-dir\n1: two words\n"
