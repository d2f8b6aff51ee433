"""The command line: what somebody may get wrong is said in one sentence, with the right exit code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.vision.running import ROOT, free_port
from vision.__main__ import CALLED_VARIABLE, EMBEDDER_VARIABLE, KEYS_VARIABLE, parser

SNAPRACE = [sys.executable, "-c", "from ops.cli.main import main; main()", "vision", "serve"]
HERE = ["--data", "collections"]

USAGE: dict[str, tuple[list[str], str]] = {
    "nothing at all": ([], "--data"),
    "a port that is no number": ([*HERE, "--port", "http"], "--port: must be a whole number"),
    "a port that is none": ([*HERE, "--port", "70000"], "--port: must be a whole number"),
    "no workers": ([*HERE, "--workers", "0"], "--workers: must be a whole number"),
    "a queue of less than one": ([*HERE, "--queue", "-3"], "--queue"),
    "an option that is none": ([*HERE, "--prot", "80"], "--prot"),
    "a shortened option": ([*HERE, "--work", "2"], "--work"),
    "a rate of an unknown operation": ([*HERE, "--rate", "DetectLabels=5"], "'DetectLabels' is no operation"),
    "a rate without a number": ([*HERE, "--rate", "DetectText"], "write it as DetectText=5"),
    "a rate of zero": ([*HERE, "--rate", "DetectText=0"], "write it as DetectText=5"),
    "a rate that is no number": ([*HERE, "--rate", "DetectText=fast"], "write it as DetectText=5"),
    "a rate below zero": ([*HERE, "--rate", "DetectText=-5"], "write it as DetectText=5"),
    "quotas of a region that we do not know": ([*HERE, "--quotas", "eu-north-1"], "us-east-1"),
    "a name with a scheme": ([*HERE, "--allowed-host", "http://vision.example"], "without scheme, port and path"),
    "hardware that is none": ([*HERE, "--embedder", "gpu"], "'gpu' is none of cuda, openvino, opencv"),
    "keys and no keys": ([*HERE, "--keys", "keys", "--unsigned"], "not allowed with"),
}


@pytest.mark.parametrize("mistake", USAGE)
def test_options_that_make_no_sense(
    mistake: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CALLED_VARIABLE, "snaprace vision serve")
    options, said = USAGE[mistake]
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(options)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("snaprace vision serve: ")
    assert said in error
    assert error.endswith("(see snaprace vision serve --help)\n")


CANNOT_START: dict[str, tuple[list[str], str]] = {
    "a data folder that is a file": (["--data", "file"], "is a file, not a folder"),
    "a data folder below a file": (["--data", "file/data"], "Cannot write to the data folder"),
    "collections that are none": (["--data", "broken"], "Cannot use the collections"),
    "an address of nowhere": ([*HERE, "--host", "no.such.host.invalid"], "--host 127.0.0.1"),
    "an address of another machine": ([*HERE, "--host", "192.0.2.1"], "Cannot listen on 192.0.2.1"),
    "open to all without keys": ([*HERE, "--host", "0.0.0.0"], "--keys FILE"),  # noqa: S104 - refused
    "hardware that is not here": ([*HERE, "--embedder", "cuda"], "The package for cuda is not installed here"),
    "keys that are not there": ([*HERE, "--keys", "none"], "Cannot read the keys in none"),
    "keys that are a folder": ([*HERE, "--keys", "."], "Cannot read the keys in ."),
    "keys that are no text": ([*HERE, "--keys", "binary"], "Cannot use the keys in binary"),
    "keys without a secret": ([*HERE, "--keys", "file"], "line 1 is not an access key id"),
}


@pytest.mark.parametrize("mistake", CANNOT_START)
def test_what_keeps_it_from_starting(mistake: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("something\n")
    (tmp_path / "file").chmod(0o600)
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "binary").chmod(0o600)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "collections.sqlite").write_text("this is no database, and long enough to be seen as none")
    options, said = CANNOT_START[mistake]
    ended = _run([sys.executable, "-m", "vision", "--port", "0", *options], tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert said in ended.stderr


def test_keys_in_the_variable_are_checked_too(tmp_path: Path) -> None:
    ended = _run([sys.executable, "-m", "vision", "--port", "0", *HERE], tmp_path, {KEYS_VARIABLE: "secret-alone"})
    assert ended.returncode == 1
    assert f"Cannot use the keys in {KEYS_VARIABLE}: line 1" in ended.stderr
    assert "secret-alone" not in ended.stderr


def test_keys_in_the_variable_and_unsigned_contradict_each_other(tmp_path: Path) -> None:
    ended = _run([sys.executable, "-m", "vision", "--port", "0", *HERE, "--unsigned"], tmp_path, {KEYS_VARIABLE: "A B"})
    assert ended.returncode == 1
    assert "leave one of them out" in ended.stderr


def test_help_is_that_of_the_command_as_it_was_typed(tmp_path: Path) -> None:
    ended = _run([*SNAPRACE, "--help"], tmp_path)
    assert ended.returncode == 0
    assert ended.stdout.startswith("usage: snaprace vision serve ")
    wrong = _run([*SNAPRACE, "--port", "x"], tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("snaprace vision serve: ")


def test_it_says_where_it_listens_warns_of_open_keys_and_hides_them_from_workers(tmp_path: Path) -> None:
    keys, port = tmp_path / "keys", free_port()
    keys.write_text("AKRACE secret\n")
    keys.chmod(0o644)
    command = [sys.executable, "-m", "vision", *HERE, "--port", str(port), "--keys", str(keys), "--workers", "1"]
    server = subprocess.Popen(
        command, cwd=tmp_path, env=_environment({KEYS_VARIABLE: "AKOTHER another"}), stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr
        assert f"chmod 600 {keys}" in server.stderr.readline()
        assert server.stderr.readline() == f"Serving on http://127.0.0.1:{port}; Ctrl-C stops it.\n"
        if Path("/proc/self/environ").exists():
            environment = _environment_of_a_worker(server.pid)
            assert b"OMP_NUM_THREADS=1" in environment
            assert b"another" not in environment
        made = {path: path.stat().st_mode for path in (tmp_path / HERE[1]).rglob("*")}
        assert made
        assert not {path: mode for path, mode in made.items() if mode & 0o077}, "faces are for nobody else to read"
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=20) == 0
    finally:
        server.kill()
        server.communicate()


def test_the_variable_says_what_the_embedder_runs_on_unless_an_option_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parser().parse_args(HERE).embedder is None
    monkeypatch.setenv(EMBEDDER_VARIABLE, "opencv")
    assert parser().parse_args(HERE).embedder == "opencv"
    assert parser().parse_args([*HERE, "--embedder", "openvino"]).embedder == "openvino"
    monkeypatch.setenv(EMBEDDER_VARIABLE, "gpu")
    with pytest.raises(SystemExit):
        parser().parse_args(HERE)


def test_the_page_names_exactly_the_options_that_there_are() -> None:
    page = (ROOT / "docs" / "vision.md").read_text()
    table = {
        (name, value or None)
        for name, value in re.findall(r"^\| `(--[a-z-]+)(?: ([A-Z][A-Z=]*))?` \|", page, re.MULTILINE)
    }
    actions = [action for action in parser()._actions if action.dest != "help"]
    assert table == {(action.option_strings[0], action.metavar if action.nargs != 0 else None) for action in actions}
    for action in actions:
        if action.default and isinstance(action.default, str | int) and action.dest != "workers":
            (row,) = re.findall(rf"^\| `{action.option_strings[0]}\b.*", page, re.MULTILINE)
            assert str(action.default) in row.split("|")[-2]


def _environment_of_a_worker(front: int, seconds: float = 20.0) -> bytes:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        listed = subprocess.run(["pgrep", "-P", str(front)], capture_output=True, text=True, check=False)
        for child in listed.stdout.split():
            if b"vision.engine.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                return Path(f"/proc/{child}/environ").read_bytes()
        time.sleep(0.02)
    raise AssertionError("no worker was started")


def _environment(more: dict[str, str] | None = None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **(more or {})}


def _run(
    command: list[str], folder: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=_environment(environment), capture_output=True, text=True, timeout=30, check=False
    )
