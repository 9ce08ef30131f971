"""mer-jax weights against a server of this machine: the whole file with the right checksum, or one clear line and nothing."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from weight_files import write_notop

from mer_jax import cli
from mer_jax.models import pretrained
from mer_jax.models.pretrained import download

NAME = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"


class Server(BaseHTTPRequestHandler):
    """``/whole/...`` answers with the file, ``/cut/...`` with half of what it announced; anything else is not found."""

    content = b""
    requests = 0

    def do_GET(self):
        type(self).requests += 1
        kind = self.path.split("/")[1]
        if kind not in ("whole", "cut"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content if kind == "whole" else self.content[: len(self.content) // 2])

    def log_message(self, *args):
        """Not on standard error."""


@pytest.fixture
def server(tmp_path):
    content = write_notop(tmp_path / "source.h5").read_bytes()
    handler = type("Handler", (Server,), {"content": content})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", handler
        http.shutdown()
        thread.join()


def md5(handler):
    return "md5:" + hashlib.md5(handler.content).hexdigest()


@pytest.fixture
def weights(tmp_path, monkeypatch, capsys):
    """Runs the command in a folder of its own; gives status, standard output and the lines of standard error."""
    (tmp_path / "here").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))

    def run(*arguments):
        status = cli.main(["weights", *arguments])
        captured = capsys.readouterr()
        assert not list((tmp_path / "tmp").iterdir()), "nothing stays behind"
        return status, captured.out, captured.err.splitlines()

    return run


def test_download_convert_and_load(server, weights):
    address, handler = server
    arguments = ("--url", f"{address}/whole/{NAME}", "--checksum", md5(handler))
    status, out, errors = weights(*arguments)
    assert (status, errors) == (0, [])
    assert "wrote checkpoints/vgg19_imagenet" in out
    record = pretrained.load_vgg19("checkpoints/vgg19_imagenet").record
    assert record.file == NAME
    assert record.url == f"{address}/whole/{NAME}"
    assert record.sha256 == hashlib.sha256(handler.content).hexdigest()
    assert handler.requests == 1
    status, out, _ = weights(*arguments)
    assert status == 0
    assert "holds these weights already" in out
    assert handler.requests == 1, "not downloaded again"


FAILURES = {
    "wrong checksum": ("whole", "md5:" + "0" * 32, "does not match the checksum md5:000"),
    "wrong checksum, sha256": ("whole", "sha256:" + "0" * 64, "does not match the checksum sha256:000"),
    "cut connection": ("cut", None, "the connection broke off before the file was whole"),
    "not found": ("elsewhere", None, "the server answers 404"),
}


@pytest.mark.parametrize("case", FAILURES, ids=str)
def test_a_failed_download_is_one_line_and_leaves_nothing(case, server, weights, tmp_path):
    address, handler = server
    kind, checksum, problem = FAILURES[case]
    url = f"{address}/{kind}/{NAME}"
    status, _, errors = weights("--url", url, "--checksum", checksum or md5(handler))
    assert status == 2
    assert len(errors) == 1
    assert url in errors[0]
    assert problem in errors[0]
    assert f"by hand in a browser, then run: mer-jax weights --file {NAME}" in errors[0]
    assert not list((tmp_path / "here").iterdir())


def test_no_server(weights, tmp_path):
    status, _, errors = weights("--url", f"http://127.0.0.1:9/{NAME}")
    assert status == 2
    assert len(errors) == 1
    assert "no connection" in errors[0]
    assert f"mer-jax weights --file {NAME}" in errors[0]
    assert not list((tmp_path / "here").iterdir())


def test_a_file_that_is_not_what_it_should_be(server, weights, tmp_path):
    """The right checksum of the wrong file: refused by its content."""
    address, handler = server
    handler.content = b"<html>sorry</html>"
    status, _, errors = weights("--url", f"{address}/whole/{NAME}", "--checksum", md5(handler))
    assert status == 2
    assert len(errors) == 1
    assert "is not an HDF5 file" in errors[0]
    assert not list((tmp_path / "here").iterdir())


def test_a_local_file(weights, tmp_path):
    path = write_notop(tmp_path / NAME)
    arguments = ("--file", str(path), "--out", "mine/vgg19")
    status, out, errors = weights(*arguments)
    assert (status, errors) == (0, [])
    assert "wrote mine/vgg19" in out
    assert "holds these weights already" in weights(*arguments)[1]
    other = tmp_path / "other.h5"
    other.write_bytes(path.read_bytes() + b"\0")
    status, _, errors = weights("--file", str(other), "--out", "mine/vgg19")
    assert status == 2
    assert "mine/vgg19: is not empty" in errors[0]
    assert "delete it, or choose another with --out" in errors[0]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--file", "nowhere.h5"), "nowhere.h5: does not exist"),
        (("--file", "a.h5", "--url", "http://127.0.0.1/a.h5"), "--file: is given with --url"),
        (("--url", "ftp://127.0.0.1/a.h5"), "is no web address"),
        (("--url", "file:///etc/passwd"), "is no web address"),
        (("--url", "http://127.0.0.1:9/a.zip"), "has the extension '.zip'"),
        (("--url", "http://127.0.0.1:9/a.h5", "--checksum", "abc"), "abc: is no checksum"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, problem, weights, tmp_path):
    status, _, errors = weights(*arguments)
    assert status == 2
    assert len(errors) == 1
    assert problem in errors[0]
    assert not list((tmp_path / "here").iterdir())


def test_the_published_file_is_the_default():
    assert download.URL.endswith(NAME)
    assert download.CHECKSUM == "md5:253f8cb515780f3b799900260a226db6"


def test_the_bar_in_a_terminal(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    address, handler = server
    path = download.fetch(f"{address}/whole/{NAME}", tmp_path, checksum=md5(handler))
    assert path.read_bytes() == handler.content
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "kB" in captured.out
