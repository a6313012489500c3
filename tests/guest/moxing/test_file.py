"""`mox.file`, in several Pythons, on a real bucket."""

import os
import subprocess

import pytest

from tests.guest.conftest import Beside
from tests.guest.pythons import GUESTS, python, pythons

SEVERAL = pythons("2.7")  # what lies between, the test of the sources compiles
NEWEST = SEVERAL[-1]


@pytest.mark.parametrize(
    ("version", "shared"), [("2.7", "/nowhere"), (NEWEST, "/"), (NEWEST, "/nowhere")][python("2.7") is None :]
)
def test_files_come_and_go(beside: Beside, version: str, shared: str):
    """Also where the process beside the script does not see the script's folders."""
    beside.run(
        """
        mox.file.write(url + '/text', 'first\\n')
        mox.file.append(url + '/text', 'second\\n')
        mox.file.append(url + '/new', b'\\x00\\xff')
        assert mox.file.read(url + '/text') == 'first\\nsecond\\n'
        assert mox.file.read(url + '/text', binary=True) == b'first\\nsecond\\n'
        assert mox.file.read(url + '//new', binary=True) == b'\\x00\\xff'
        with mox.file.File(url + '/text') as file:
            assert file.readline() == 'first\\n' and list(file) == ['second\\n'] and file.size() == 13
        with mox.file.File(url + '/text', 'r+') as file:
            file.write('FIRST')
        assert mox.file.stat(url + '/text').length == 13 and not mox.file.stat(url + '/text').is_directory
        assert mox.file.stat(url + '/text').mtime_nsec > 1600000000 * 10**9
        mox.file.copy(url + '/text', here + '/made/text')
        mox.file.copy(url + '/text', here)
        assert sorted(os.listdir(here)) == ['made', 'text'] and open(here + '/text').read() == 'FIRST\\nsecond\\n'
        mox.file.copy(here + '/text', url + '/folder/')
        mox.file.copy(url + '/text', url.replace('s3:', 'S3:') + '/folder/again')
        mox.file.copy_parallel(url, here + '/all')
        assert mox.file.list_directory(here + '/all', recursive=True) == ['folder/again', 'folder/text', 'new', 'text']
        open(here + '/all/mine', 'w').close()
        mox.file.copy_parallel(url + '/folder', here + '/all')
        assert os.path.exists(here + '/all/mine') and os.path.exists(here + '/all/again')
        mox.file.copy_parallel(here + '/all', url + '/copy')
        mox.file.copy_parallel(url + '/copy', url + '/some', file_list=['mine', 'folder/text'])
        mox.file.rename(url + '/new', url + '/old')
        mox.file.rename(url + '/copy', url + '/kept')
        mox.file.remove(url + '/text')
        mox.file.remove(url + '/folder')
        assert mox.file.exists(url + '/folder')
        mox.file.remove(url + '/folder', recursive=True)
        assert not mox.file.exists(url + '/folder') and not mox.file.exists(url + '/text')
        """,
        version=version,
        shared=shared,
    )
    text = b"FIRST\nsecond\n"
    kept = {"folder/again": text, "folder/text": text, "new": b"\x00\xff", "text": text, "mine": b"", "again": text}
    some = {"some/mine": b"", "some/folder/text": text}
    assert beside.held() == {"old": b"\x00\xff", **some} | {f"kept/{path}": data for path, data in kept.items()}
    assert beside.left() == []


@pytest.mark.parametrize("version", SEVERAL)
def test_it_tells_what_is_there(beside: Beside, version: str):
    for key in ("a/one.txt", "a/b/two.txt", "a/b/.hidden", "top.txt"):
        beside.store.put(key, key.encode())
    beside.run(
        """
        def fails(number, call, *args, **more):
            try:
                call(*args, **more)
            except EnvironmentError as error:  # of which Python 2 has two
                assert error.errno == number, error
                return str(error)
            raise AssertionError('it did not fail')

        import errno
        file = mox.file
        for top in (url, here):
            assert file.list_directory(top) == ['a', 'top.txt'], top
            everything = ['a/b/.hidden', 'a/b/two.txt', 'a/one.txt', 'top.txt']
            assert file.list_directory(top + '/', recursive=True) == everything
            assert all(type(name) is str for name in file.list_directory(top, recursive=True))
            assert [(e.name, e.path, e.is_dir()) for e in file.scan_dir(top + '/a')] == [
                ('b', top + '/a/b', True), ('one.txt', top + '/a/one.txt', False)]
            assert [(f, sorted(d), sorted(n)) for f, d, n in file.walk(top)] == [
                (top, ['a'], ['top.txt']), (top + '/a', ['b'], ['one.txt']), (top + '/a/b', [], ['.hidden', 'two.txt'])]
            assert file.glob(top + '/*/*.txt') == [top + '/a/one.txt']
            assert file.glob(top + '/a/b/*') == [top + '/a/b/two.txt']
            assert file.glob(top + '/none/*') == [] and file.glob(top + '/top.txt') == [top + '/top.txt']
            assert file.is_directory(top + '/a/') and not file.is_directory(top + '/top.txt')
            assert not file.is_directory(top + '/none') and not file.exists(top + '/none')
            assert file.exists(top) and file.exists(top + '/a/b') and not file.exists(top + '/a/on')
            assert file.get_size(top, recursive=True) == 38 and file.get_size(top + '/top.txt') == 7
            assert file.stat(top + '/a').is_directory
            assert 'copy_parallel' in fails(errno.EISDIR, file.copy, top + '/a', here + '/copy')
            assert 'recursive=True' in fails(errno.EISDIR, file.get_size, top + '/a')
            fails(errno.ENOENT, file.read, top + '/none')
            fails(errno.ENOENT, file.stat, top + '/none')
            fails(errno.ENOENT, file.remove, top + '/none')
            fails(errno.ENOENT, file.copy, top + '/none', here + '/copy')
            fails(errno.ENOENT, file.copy_parallel, top + '/none', here + '/copy')
            fails(errno.ENOENT, file.list_directory, top + '/none')
            fails(errno.ENOTDIR, file.list_directory, top + '/top.txt')
            fails(errno.EISDIR, file.read, top + '/a')
            assert not file.exists(top + '/made')
            file.make_dirs(top + '/made/deep')
            file.make_dirs(top + '/made/deep')
            file.mk_dir(top + '/made/deep/er')
            assert file.is_directory(top + '/made') and file.list_directory(top + '/made') == ['deep']
            file.copy_parallel(top + '/made', here + '/empty')
            file.remove(top + '/made', recursive=True)
            assert not file.exists(top + '/made')
            file.set_auth(ak='none')
            if top == url:
                file.remove(here + '/empty', recursive=True)
                file.copy_parallel(url, here)
        try:
            file.write('s3://no-such-bucket-here/x', '')
        except IOError as error:
            assert 'no-such-bucket-here' in str(error)
        else:
            raise AssertionError('there is such a bucket')
        """,
        version=version,
    )


@pytest.mark.parametrize("version", SEVERAL)
def test_shifted_functions_take_urls(beside: Beside, version: str):
    beside.run(
        """
        import glob, io, shutil
        before = [open, os.listdir, os.path.exists]
        mox.file.shift('os', 'mox')
        os.makedirs(url + '/made')
        assert os.path.isdir(url + '/made')
        with open(os.path.join(url, 'a.txt'), 'w') as file:
            file.write('text')
        with io.open(url + '/a.txt', 'rb') as file:
            assert file.read() == b'text'
        assert os.listdir(url) == ['a.txt', 'made'] and os.path.getsize(url + '/a.txt') == 4
        assert os.path.isfile(url + '/a.txt') and os.stat(url + '/a.txt').st_size == 4
        shutil.copy(url + '/a.txt', here + '/a.txt')
        shutil.copytree(here, url + '/tree')
        assert glob.glob(url + '/tree/*') == [url + '/tree/a.txt']
        os.rename(url + '/tree/a.txt', url + '/b.txt')
        os.remove(url + '/a.txt')
        assert sorted(os.listdir(here)) == ['a.txt'] and not os.path.exists(url + '/a.txt')
        mox.file.shift('mox', 'os')
        assert before == [open, os.listdir, os.path.exists]
        """,
        version=version,
    )
    assert beside.held() == {"b.txt": b"text"}


def test_what_passes_through_the_exchange_takes_little_room(beside: Beside):
    beside.run(
        """
        from moxing.framework.file import trees
        trees.LOT = 10  # bytes
        for number in range(9):
            mox.file.make_dirs('%s/there/%d' % (here, number))
            mox.file.write('%s/there/%d/file' % (here, number), 'x' * number * 2)
        sizes = []
        move, ask = trees.move, trees.client.ask
        def noting(do, **attributes):
            answer = ask(do, **attributes)
            if do in ('bring-tree', 'send-tree'):
                sizes.append(mox.file.get_size(attributes['path'], recursive=True))
            return answer
        trees.client.ask = noting
        mox.file.copy_parallel(here + '/there', url)
        mox.file.copy_parallel(url, here + '/back')
        assert max(sizes) == 16 and sum(sizes) == 144 and len(sizes) > 8, sizes
        for number in range(9):
            assert mox.file.get_size('%s/back/%d/file' % (here, number)) == number * 2
        os.mkdir(here + '/empty')
        mox.file.copy_parallel(here + '/empty', url + '/empty')
        mox.file.copy_parallel(url + '/empty', here + '/empty-back')
        assert os.listdir(here + '/empty-back') == []
        """,
        version=NEWEST,
        shared="/nowhere",
    )
    assert beside.left() == []


def test_processes_and_threads_ask_at_once(beside: Beside):
    beside.run(
        """
        import multiprocessing, threading
        def write(number):
            mox.file.write('%s/%d' % (url, number), str(number))
            assert mox.file.read('%s/%d' % (url, number)) == str(number)
        mox.file.write(url + '/first', '')  # the children inherit a connection
        context = multiprocessing.get_context('fork')
        processes = [context.Process(target=write, args=(number,)) for number in range(4)]
        threads = [threading.Thread(target=write, args=(number,)) for number in range(4, 12)]
        for one in processes + threads:
            one.start()
        for one in processes + threads:
            one.join()
        assert all(process.exitcode == 0 for process in processes)
        """,
        version=NEWEST,
    )
    assert beside.held() == {"first": b"", **{str(number): str(number).encode() for number in range(12)}}


def test_the_process_beside_the_script_may_be_started_again(beside: Beside):
    beside.service.stop()
    beside.workspace.socket.unlink(missing_ok=True)
    script = beside.workspace.folder / "waits.py"
    script.write_text("import moxing as mox, sys\nmox.file.write(sys.argv[1] + '/late', 'text')\n")
    with subprocess.Popen([python(NEWEST), script, beside.url], env=beside.environment("/")) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1)
        beside.service = beside.serve()
        assert waiting.wait(60) == 0
    assert beside.held() == {"late": b"text"}


def test_folders_that_were_made_are_remembered(beside: Beside):
    beside.run("mox.file.make_dirs(url + '/made')", version=NEWEST)
    beside.service.stop()
    beside.service = beside.serve()
    beside.run(
        "assert mox.file.is_directory(url + '/made') and mox.file.is_directory(url + '-job/out/')", version=NEWEST
    )


def test_without_a_job_local_paths_work_and_urls_are_refused(tmp_path):
    source = """
import moxing as mox
mox.file.write('a', 'text')
mox.file.copy_parallel('.', 'b/c')
assert mox.file.read('b/c/a') == 'text'
for call in (mox.file.exists, mox.file.read, lambda url: mox.file.write(url, ''), mox.file.list_directory):
    try:
        call('s3://bucket/file')
    except IOError as error:
        assert 's3://bucket/file is in a bucket' in str(error) and 'mlctl' in str(error)
    else:
        raise AssertionError('it answered')
"""
    for version in SEVERAL:
        done = subprocess.run(
            [python(version), "-c", source],
            env={"PYTHONPATH": str(GUESTS / "moxing"), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", SEVERAL)
def test_what_is_not_covered_names_the_page(version: str):
    source = """
import moxing.mxnet as mox
for module in (mox, mox.file):
    assert not hasattr(module, 'nothing_like_that')
    try:
        module.nothing_like_that
    except NotImplementedError as error:
        assert 'nothing_like_that' in str(error) and 'docs/moxing.md' in str(error)
"""
    environment = {"PYTHONPATH": str(GUESTS / "moxing"), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([python(version), "-c", source], env=environment, check=True)
