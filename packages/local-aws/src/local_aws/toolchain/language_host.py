"""A language host for Python: the engine asks it to run programs, policy packs and plugins.

It replaces `pulumi-language-python` next to an engine that was built from its published modules, because the
official host's module is not published. It speaks the same protocol (pulumirpc.LanguageRuntime), by the stubs that
the Pulumi SDK ships. It is started once for every command, so its own start is kept short: it runs without `site`,
and loads the stubs without the rest of the SDK.

It ends with the engine, even if that is killed, and nothing that it started outlives it.
"""

# ruff: noqa: ARG002  (the signature of a handler is the protocol's)
from __future__ import annotations

import contextlib
import glob
import importlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

LIBRARIES = os.path.join(
    os.path.dirname(os.path.dirname(sys.executable)),
    f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages",
)


def _light_pulumi() -> None:
    """Let `pulumi.runtime.proto` be imported without running the SDK's own `__init__` (0.2 s)."""
    if LIBRARIES not in sys.path:
        sys.path.insert(0, LIBRARIES)
    for name in ("pulumi", "pulumi.runtime"):
        if name not in sys.modules:
            shell = types.ModuleType(name)
            shell.__path__ = [os.path.join(LIBRARIES, *name.split("."))]
            sys.modules[name] = shell


def _light_grpc() -> None:
    """Load gRPC without its half for asyncio (40 ms), which is not used here."""
    halves = [name for name in ("asyncio", "grpc.aio") if name not in sys.modules]
    sys.modules.update({name: types.ModuleType(name) for name in halves})
    try:
        importlib.import_module("grpc")
    finally:
        for name in halves:
            del sys.modules[name]


if __name__ == "__main__":
    _light_pulumi()
    _light_grpc()

import grpc  # noqa: E402
from google.protobuf import empty_pb2, json_format  # noqa: E402
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2  # noqa: E402

VERSION = "0.1.0"
BAIL = 32  # a program exits with it when it has shown its error itself
GRACE = 2.0  # seconds that what we started gets between SIGTERM and SIGKILL
EXEC = "pulumi-language-python-exec"
HOST_VARIABLE = "LOCAL_AWS_LANGUAGE_HOST"  # our process id: the program ends with us
RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run_program.py")
NO_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


# --- where things are


def interpreter(root: str, options: dict[str, Any]) -> str:
    """The Python of a program or plugin in `root` (an absolute path).

    The option `virtualenv` (relative to `root`), else the nearest `.venv` at or above `root`, else
    PULUMI_PYTHON_CMD, else our own. Raises FileNotFoundError when a named virtualenv is none.
    """
    named = options.get("virtualenv")
    if named:
        python = os.path.join(root, named, "bin", "python")
        if not os.path.exists(python):
            raise FileNotFoundError(f"the virtualenv {named!r} of {root} has no bin/python; make it, then try again")
        return python
    folder = os.path.abspath(root)
    while folder != os.path.dirname(folder):
        python = os.path.join(folder, ".venv", "bin", "python")
        if os.path.exists(python):
            return python
        folder = os.path.dirname(folder)
    return os.environ.get("PULUMI_PYTHON_CMD") or sys.executable


def version_of(python: str) -> str:
    """Of an interpreter: what its virtual environment was made with, else what it says itself."""
    with contextlib.suppress(OSError), open(os.path.join(os.path.dirname(python), "..", "pyvenv.cfg")) as file:
        for line in file:
            name, _, value = line.partition("=")
            if name.strip() in ("version", "version_info"):  # written by venv; by uv and virtualenv
                return ".".join(value.strip().split(".")[:3])
    said = subprocess.run([python, "-I", "-S", "-V"], capture_output=True, text=True).stdout.split()
    return said[-1] if said else "unknown"


def libraries_of(python: str) -> str:
    """The site-packages folder of an interpreter's virtual environment."""
    base = os.path.dirname(os.path.dirname(python))
    found = glob.glob(os.path.join(base, "lib", "python3*", "site-packages"))
    return found[0] if found else LIBRARIES


def required_packages(libraries: str) -> list[dict[str, Any]]:
    """What the installed packages say of the provider plugins they need.

    Each `pulumi-plugin.json` is `{"resource": bool, "name": str, "version": str, "server"?: str}`; those that
    are no resource packages (the SDK's own policy package, for one) are left out.
    """
    needed = []
    for path in sorted(glob.glob(os.path.join(libraries, "pulumi_*", "pulumi-plugin.json"))):
        with open(path, encoding="utf-8") as file:
            plugin = json.load(file)
        if plugin.get("resource"):
            package = os.path.basename(os.path.dirname(path)).removeprefix("pulumi_").replace("_", "-")
            needed.append({"name": package, **plugin})
    return needed


def installed_distributions(libraries: str) -> list[tuple[str, str]]:
    """(name, version) of everything installed, by the names of the dist-info folders."""
    stems = (os.path.basename(path) for path in glob.glob(os.path.join(libraries, "*.dist-info")))
    return sorted((name, version) for name, _, version in (s.removesuffix(".dist-info").partition("-") for s in stems))


def environment_for(python: str) -> dict[str, str]:
    """Our environment, with the virtual environment of `python` switched on."""
    folder = os.path.dirname(python)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "LOCAL_AWS_ENGINE_BIN")}
    if os.path.exists(os.path.join(os.path.dirname(folder), "pyvenv.cfg")):
        environment["VIRTUAL_ENV"] = os.path.dirname(folder)
        environment["PATH"] = folder + os.pathsep + environment.get("PATH", os.defpath)
    return environment


# --- what was started


class Children:
    """Processes in groups of their own, so that everything they start in turn ends with them."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def start(self, command: list[str], cwd: str, environment: dict[str, str], piped: bool) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE if piped else None
        with self._lock:
            child = subprocess.Popen(
                command, cwd=cwd or None, env=environment, stdin=subprocess.DEVNULL,
                stdout=pipe, stderr=pipe, start_new_session=True,
            )  # fmt: skip
            self._running.add(child)
        return child

    def wait(self, child: subprocess.Popen[bytes]) -> int:
        """Its exit code. What it left running in its group is ended before its id can be reused."""
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            signal_group(child, signal.SIGKILL)
        code = child.wait()
        with self._lock:
            self._running.discard(child)
        return code

    def end(self) -> None:
        """SIGTERM to every group; what is left after GRACE gets SIGKILL."""
        with self._lock:
            running = list(self._running)
        for child in running:
            signal_group(child, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while any(child.poll() is None for child in running) and time.monotonic() < deadline:
            time.sleep(0.01)
        for child in running:
            signal_group(child, signal.SIGKILL)


def signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        os.killpg(child.pid, number)


def explain(code: int) -> str:
    """How a process ended, for the engine's display; "" for success."""
    if code == 0:
        return ""
    if code < 0:
        return f"the program was ended by {signal.Signals(-code).name}"
    return f"the program exited with code {code}"


# --- the service


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    def __init__(self, engine: str, children: Children) -> None:
        self.engine, self.children = engine, children
        self.scripts = os.environ.get("LOCAL_AWS_ENGINE_BIN", os.path.dirname(os.path.abspath(__file__)))

    def Handshake(self, request: Any, context: Any) -> Any:
        self.engine = request.engine_address or self.engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        libraries = libraries_of(self._python(request.info, context))
        return language_pb2.GetRequiredPackagesResponse(
            packages=[
                plugin_pb2.PackageDependency(
                    name=package["name"],
                    kind="resource",
                    version="v" + package["version"].removeprefix("v"),
                    server=package.get("server", ""),
                )
                for package in required_packages(libraries)
            ]
        )

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        libraries = libraries_of(self._python(request.info, context))
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=name, version=version)
                for name, version in installed_distributions(libraries)
            ]
        )

    def About(self, request: Any, context: Any) -> Any:
        python = self._python(request.info, context)
        return language_pb2.AboutResponse(executable=python, version=version_of(python))

    def Run(self, request: Any, context: Any) -> Any:
        python = self._python(request.info, context)
        environment = {
            **environment_for(python),
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
            HOST_VARIABLE: str(os.getpid()),
        }
        child = self.children.start(self._program(python, request), request.pwd, environment, piped=False)
        code = self.children.wait(child)
        return language_pb2.RunResponse(bail=True) if code == BAIL else language_pb2.RunResponse(error=explain(code))

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        python = self._python(request.info, context)
        folder = request.info.program_directory
        module = ["-m", "pulumi.policy"] if request.kind == "analyzer" else []
        after = [*request.args, folder] if module else [folder, *request.args]
        given = dict(entry.split("=", 1) for entry in request.env)
        environment = {**environment_for(python), **given}
        child = self.children.start([python, "-u", *module, *after], request.pwd, environment, piped=True)

        def hang_up() -> None:
            if child.poll() is None:
                signal_group(child, signal.SIGTERM)

        context.add_callback(hang_up)
        yield from _output(child)
        yield language_pb2.RunPluginResponse(exitcode=self.children.wait(child))

    def Cancel(self, request: Any, context: Any) -> Any:
        self.children.end()
        return empty_pb2.Empty()

    def _program(self, python: str, request: Any) -> list[str]:
        flags = {
            "project": request.project,
            "stack": request.stack,
            "organization": request.organization,
            "root_directory": request.info.root_directory,
            "pwd": request.pwd,
            "dry_run": "true" if request.dryRun else "false",
            "parallel": str(request.parallel),
            "monitor": request.monitor_address,
            "engine": self.engine,
        }
        given = [part for name, value in flags.items() for part in (f"--{name}", value)]
        script = os.path.join(self.scripts, EXEC)
        return [python, "-u", RUNNER, script, *given, request.info.entry_point or ".", *request.args]

    def _python(self, info: Any, context: Any) -> str:
        try:
            return interpreter(info.root_directory or os.getcwd(), json_format.MessageToDict(info.options))
        except FileNotFoundError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            raise


def _output(child: subprocess.Popen[bytes]) -> Iterator[Any]:
    """What a plugin prints, in the order in which it came, until both of its streams are closed."""
    lines: queue.Queue[Any] = queue.Queue()

    def pump(stream: IO[bytes], field: str) -> None:
        while block := stream.read1(65536):  # type: ignore[attr-defined]
            lines.put(language_pb2.RunPluginResponse(**{field: block}))
        lines.put(None)

    for stream, field in ((child.stdout, "stdout"), (child.stderr, "stderr")):
        assert stream is not None
        threading.Thread(target=pump, args=(stream, field), daemon=True).start()
    still_open = 2
    while still_open:
        item = lines.get()
        if item is None:
            still_open -= 1
        else:
            yield item


def wait_for_the_end_of(parent: int, woken: int) -> None:
    """Block until process `parent`, which started us, is gone, or until there is something to read from `woken`.

    A signal that comes just before `select` does not interrupt it, so each one also writes there.
    """
    try:
        handle = os.pidfd_open(parent)
    except OSError:
        return
    if os.getppid() == parent:  # else it went before we could watch it
        select.select([handle, woken], [], [])


def main(argv: list[str]) -> None:
    parent = os.getppid()
    children = Children()

    def leave(*_: object) -> None:
        children.end()
        os._exit(0)  # the server's threads may be in the middle of a call that will never be answered

    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    engine = next((argument for argument in argv if not argument.startswith("-")), "")
    server = grpc.server(ThreadPoolExecutor(16), options=NO_LIMIT)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(engine, children), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    wait_for_the_end_of(parent, woken)
    leave()


if __name__ == "__main__":
    main(sys.argv[1:])
