"""A script in a pod that reads and writes its bucket itself, through the sidecar."""

from tests.jobs.conftest import project  # noqa: F401
from tests.kubernetes.test_jobs import Lab, lab  # noqa: F401


def test_a_script_copies_through_the_sidecar(lab: Lab, bucket_url: str) -> None:  # noqa: F811
    """Also from and to folders that only its own container has."""
    (lab.folder / "data" / "a").mkdir(parents=True)
    (lab.folder / "data" / "a" / "words").write_text("some words")
    lab.script("""
        import moxing as mox, tempfile
        own = tempfile.mkdtemp()
        assert not own.startswith(os.environ["MLCTL_SHARED"])
        mox.file.copy_parallel(data_url, own)
        text = open(own + "/a/words").read()
        mox.file.write(train_url + "model/upper", text.upper())
        mox.file.copy_parallel(own, train_url + "copy")
        print(mox.file.list_directory(train_url, recursive=True))
        assert os.environ["ACCESS_KEY_ID"] and os.environ["S3_ENDPOINT"]
        assert set(os.listdir(os.environ["MLCTL_EXCHANGE"])) <= {"folders"}
    """)
    view = lab.run(data="./data", data_mode="url")
    assert view.status.state == "SUCCEEDED", lab.log(view)
    assert lab.log(view) == b"['copy/a/words', 'model/upper']\n"
    outputs = lab.client.jobs.outputs(view.name)
    assert [entry.path for entry in outputs.manifest.entries] == ["copy/a/words", "model/upper"]
    assert outputs.complete
