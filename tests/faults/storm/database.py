"""A PostgreSQL of the storm's own, with fsync on, that is crashed and started again on the same folder."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path

import psycopg

from tests.faults.storm.processes import Program
from tests.support import postgres
from tests.support.demo import children_of

READY_S = 60


class Database:
    """``program`` is its postmaster. Everything it writes lies in a folder that ``remove`` takes away."""

    def __init__(self, port: int) -> None:
        binaries, identity = postgres.find_binaries(), postgres._unprivileged()
        self.root = Path(tempfile.mkdtemp(prefix="quittance-storm-postgres-"))
        self.root.chmod(0o755)
        self.port = port
        place = postgres._Place(root=self.root, data=self.root / "data", log=self.root / "log")
        place.data.mkdir(mode=0o700)
        if identity:
            os.chown(place.data, identity["user"], identity["group"])
            binaries = postgres._readable_copy(binaries, into=self.root, identity=identity)
        postgres._create_cluster(binaries, place, identity)
        options = [part for option in postgres._server_settings(port, place) for part in ("-c", option)]
        self.program = Program(
            "database",
            [str(binaries / "postgres"), "-D", str(place.data), *options],
            postgres._environment(place),
            place.log,
            how={"cwd": place.data, **identity},
        )

    def address(self, port: int | None = None) -> str:
        """As SQLAlchemy writes it; by another port where something stands in between."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{port or self.port}/postgres"

    def connect(self, *, timeout_s: int = 2) -> psycopg.Connection[tuple[object, ...]]:
        """Straight to it. Raises psycopg.OperationalError while it is away."""
        return psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres connect_timeout={timeout_s}",
            autocommit=True,
        )

    def answers(self) -> bool:
        try:
            with self.connect(timeout_s=1) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def wait(self) -> None:
        """Until it takes connections."""
        deadline = time.monotonic() + READY_S
        while not self.answers():
            if time.monotonic() > deadline or not self.program.is_running:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.program.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def terminate_all(self) -> None:
        """End every connection but this one."""
        with self.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )

    def kill_backend(self, dice: random.Random) -> None:
        """kill -9 of one connection's process: PostgreSQL then crashes as a whole and recovers by itself."""
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchall()
        pids = set(children_of(self.program.pid)) & {int(str(row[0])) for row in rows}
        if pids:
            self.program.signal(signal.SIGKILL, pid=dice.choice(sorted(pids)))

    def remove(self) -> None:
        self.program.end()
        shutil.rmtree(self.root, ignore_errors=True)
