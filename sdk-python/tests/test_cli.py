"""The command line of the package, and the process that compiles components for it."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import pytest

import remotemedia
from remotemedia import _remotemedia_runtime

GUESTS = Path(__file__).resolve().parents[2] / "target/guests"
PACKAGE = Path(remotemedia.__file__).parent
NATIVE = Path(_remotemedia_runtime.__file__)
MODULE = [sys.executable, "-m", "remotemedia"]
SCRIPT = [sys.executable, str(PACKAGE.parent / "bin/remotemedia")]

NODE = """
import sys

class Loud:
    def process(self, value):
        print("node got", value if isinstance(value, float) else "audio")
        return value

class Stuck:
    def process(self, value):
        print("stuck", flush=True)
        while True:
            pass

class Sudden:
    def process(self, value):
        return sys.exit(7)
"""


def run(arguments, command=MODULE, **settings):
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300, **settings)


@pytest.fixture
def numbers(tmp_path):
    """A file with values."""
    (tmp_path / "numbers.jsonl").write_text("1.5\n2.5\n")
    return str(tmp_path / "numbers.jsonl")


@pytest.fixture
def manifest(tmp_path):
    """Writes a manifest of the one node `node_type`, beside the module `loud`."""
    (tmp_path / "loud.py").write_text(NODE)

    def write(node_type):
        nodes = [{"id": "node", "node_type": node_type}]
        path = tmp_path / "pipeline.json"
        path.write_text(json.dumps({"version": "v1", "metadata": {"name": "m"}, "nodes": nodes, "connections": []}))
        return str(path)

    return write


@pytest.mark.parametrize("command", [MODULE, SCRIPT], ids=["module", "script"])
def test_it_is_the_hosts_command_line(command):
    version = run(["--version"], command)
    assert (version.returncode, version.stdout, version.stderr) == (0, "remotemedia 0.1.0\n", "")
    wrong = run(["nonsense"], command)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "unrecognized subcommand 'nonsense'" in wrong.stderr
    as_json = run(["--json", "run", "nowhere.json"], command)
    assert (as_json.returncode, as_json.stdout) == (2, "")
    assert "nowhere.json" in json.loads(as_json.stderr)["error"]["message"]


def test_python_nodes_run_in_this_python_and_print_to_standard_error(manifest, numbers):
    done = run(["run", manifest("loud:Loud"), "-i", numbers, "-o", "-"])
    assert (done.returncode, done.stdout) == (0, "1.5\n2.5\n"), done.stderr
    assert "node got 1.5\nnode got 2.5\n" in done.stderr


def test_nodes_of_the_package_have_bare_names(manifest):
    done = run(["--json", "plan", manifest("StatefulCounter")])
    assert done.returncode == 0, done.stderr
    [node] = json.loads(done.stdout)["nodes"]
    assert (node["node_type"], node["runtime"]) == ("StatefulCounter", "cpython")
    unknown = run(["plan", manifest("StatefulCouter")])
    assert unknown.returncode == 2
    assert "no node type is called `StatefulCouter`" in unknown.stderr


def test_the_exit_code_is_the_pipelines_not_the_nodes(manifest, numbers):
    done = run(["run", manifest("loud:Sudden"), "-i", numbers])
    assert done.returncode == 1
    assert "node `node` failed in process: SystemExit: 7" in done.stderr


def test_doctor_names_this_python():
    done = run(["--json", "doctor"])
    found = {check["name"]: check["found"] for check in json.loads(done.stdout)["checks"]}
    assert sys.executable in found["Python"]
    assert found["compiler"] == sys.executable


def test_an_interrupt_ends_it_in_bounded_time(manifest, tmp_path):
    with wave.open(str(tmp_path / "in.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(32000))
    audio = (tmp_path / "in.wav").read_bytes()
    for node_type, sign in (("loud:Loud", b"node got audio"), ("loud:Stuck", b"stuck")):
        arguments = [*MODULE, "run", manifest(node_type), "-i", "-", "-o", str(tmp_path / "out.wav")]
        # A shell has what it starts in the background ignore Ctrl-C, and the program keeps to that.
        listening = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        with subprocess.Popen(arguments, stdin=-1, stdout=-1, stderr=-1, preexec_fn=listening) as process:
            # The end of the input does not come.
            process.stdin.write(audio[:-2])
            process.stdin.flush()
            assert sign in process.stderr.readline()
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 130
            assert time.monotonic() - began < 30


def test_a_native_module_that_is_not_there_is_said():
    code = (
        "import sys; sys.modules['remotemedia._remotemedia_runtime'] = None\n"
        "from remotemedia.__main__ import main; main()"
    )
    done = run([], [sys.executable, "-c", code])
    assert done.returncode == 1
    assert done.stderr.startswith("error: the native module of remotemedia cannot be loaded: ")


def compiling(*settings):
    isolated = [sys.executable, "-I", "-S", "-B", str(PACKAGE / "_compiler.py"), str(NATIVE)]
    return [*isolated, "compile-component", *settings]


def test_the_compiling_process_has_its_limits_and_no_other_files_before_it_reads_a_byte():
    leaked = os.open("/dev/null", os.O_RDONLY)
    arguments = compiling("--component-bytes", "9", "--memory-mb", "777", "--cpu-seconds", "33")
    with subprocess.Popen(arguments, stdin=-1, stdout=-1, stderr=-1, env={}, cwd="/", pass_fds=[leaked]) as process:
        os.close(leaked)
        place = Path(f"/proc/{process.pid}")

        def limits():
            lines = (place / "limits").read_text().splitlines()
            return {line[:26].strip(): line[26:].split()[0] for line in lines[1:]}

        deadline = time.monotonic() + 60
        # The last that it sets.
        while limits()["Max open files"] != "16":
            assert process.poll() is None and time.monotonic() < deadline, limits()
        wanted = {
            "Max address space": str(777 << 20), "Max cpu time": "33", "Max file size": "0", "Max core file size": "0",
        }  # fmt: skip
        assert {name: limits()[name] for name in wanted} == wanted
        assert sorted(os.listdir(place / "fd")) == ["0", "1", "2"]
        # Too few bytes: whoever was to send them is gone.
        out, errors = process.communicate(b"12345")
        assert (process.returncode, out) == (1, b"")
        assert b"expected 9 bytes, got 5" in errors


def test_a_component_that_is_not_sound_is_the_components_fault():
    arguments = compiling("--component-bytes", "4", "--memory-mb", "777", "--cpu-seconds", "33")
    done = subprocess.run(arguments, input=b"\0asm", capture_output=True, env={}, timeout=60)
    assert (done.returncode, done.stdout) == (2, b"")


def test_nothing_of_the_environment_runs_in_the_compiling_process(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nwith open({str(tmp_path / 'seen')!r}, 'a') as file: print(sys.orig_argv[1:3], file=file)\n"
    )
    search = os.pathsep.join([str(tmp_path), str(PACKAGE.parent)])
    environment = os.environ | {"PYTHONPATH": search, "REMOTEMEDIA_CACHE_DIR": str(tmp_path / "cache")}
    environment.pop("REMOTEMEDIA_COMPILER", None)
    done = run(["nodes", "describe", str(GUESTS / "gain.wasm")], env=environment)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "cache").iterdir())
    assert (tmp_path / "seen").read_text() == "['-m', 'remotemedia']\n"
