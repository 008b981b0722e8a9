"""`quittance demo` as a person has it: it starts, keeps its programs alive, keeps its data, and stops cleanly."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pysqlite3 import dbapi2 as sqlite3

from app.demo import files
from app.demo.loopback import new_session
from app.demo.processes import free_ports
from app.demo.recurring_walk import RECURRING_STEPS
from config.settings import ROOT
from tests.faults.test_promises import Promise, promises
from tests.support.demo import PORT_NAMES, Demo, children_of, environment_for, process_exists, quittance, running_demo
from tests.support.thorough import spread

pytestmark = pytest.mark.slow

BILLS = 11
BANKS = ROOT / "config" / "banks"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo") / "var") as demo:
        yield demo


def get_json(address: str) -> dict[str, Any]:
    found: dict[str, Any] = new_session().get(address, timeout=10).json()
    return found


def page_status(demo: Demo) -> int:
    return new_session().get(f"{demo.running.base_url}/", timeout=10).status_code


def delivered(demo: Demo) -> dict[str, Any]:
    address = f"{demo.running.biller_url}/state.json"
    demo.wait_for(lambda: get_json(address)["all_delivered"], "not all bills were delivered")
    return {bill["number"]: bill for biller in get_json(address)["billers"].values() for bill in biller["bills"]}


def test_all_four_programs_answer_and_the_bills_are_delivered(demo: Demo) -> None:
    assert page_status(demo) == 200
    assert get_json(f"{demo.running.bank_url}/livez") == {"status": "ok"}
    assert len(delivered(demo)) == BILLS
    assert process_exists(demo.running.children["worker"])
    assert f"Quittance is running at {demo.running.base_url}" in demo.said


def test_the_billers_page_shows_them_under_a_strict_policy(demo: Demo) -> None:
    numbers = delivered(demo)
    page = new_session().get(f"{demo.running.biller_url}/", timeout=10)
    assert page.status_code == 200
    assert "default-src 'none'; style-src 'self';" in page.headers["Content-Security-Policy"]
    assert all(number in page.text for number in numbers)
    assert "<script" not in page.text


def test_a_message_without_the_right_signature_is_refused(demo: Demo) -> None:
    address = f"{demo.running.biller_url}/webhooks/eaux-de-brumeval"
    headers = {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
    assert new_session().post(address, data=b"{}", headers=headers, timeout=10).status_code == 401


@pytest.mark.parametrize(
    "name",
    [
        *("web", "worker", "sandbox-bank", "demo-biller"),
        *spread(["uk-sandbox-bank", "stet-sandbox-bank", "nextgen-sandbox-bank"], every=3),
    ],
)
def test_a_killed_program_comes_back(demo: Demo, name: str) -> None:
    before = demo.running.children[name]
    os.kill(before, signal.SIGKILL)
    demo.wait_for(lambda: demo.running.children.get(name, before) != before, f"{name} did not come back", seconds=20)
    assert demo.running.restarts[name] >= 1
    demo.wait_for(lambda: answers(demo, name), f"{name} does not answer", seconds=30)


def answers(demo: Demo, name: str) -> bool:
    addresses = {
        "web": f"{demo.running.base_url}/readyz",
        "sandbox-bank": f"{demo.running.bank_url}/livez",
        "demo-biller": f"{demo.running.biller_url}/livez",
        "uk-sandbox-bank": f"https://127.0.0.1:{demo.environment['QUITTANCE_UK_BANK_PORT']}/livez",
        "stet-sandbox-bank": f"https://127.0.0.1:{demo.environment['QUITTANCE_STET_BANK_PORT']}/livez",
        "nextgen-sandbox-bank": f"https://127.0.0.1:{demo.environment['QUITTANCE_NEXTGEN_BANK_PORT']}/livez",
    }
    if name not in addresses:
        return process_exists(demo.running.children[name])
    try:
        kind = name.partition("-")[0]
        keys = f"sandbox-bank-{kind if kind in ('stet', 'nextgen') else 'uk'}"
        authority = str(demo.data / "bank-keys" / keys / "ca.pem")
        return new_session().get(addresses[name], timeout=5, verify=authority).status_code == 200
    except OSError:  # every exception of requests is one
        return False


def test_a_second_supervisor_on_the_same_folder_is_refused_in_one_sentence(demo: Demo) -> None:
    second = quittance("demo", environment=environment_for(demo.data, free_ports(len(PORT_NAMES))))
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr == (
        f"quittance: Quittance already runs on the data folder {demo.data}"
        f" at {demo.running.base_url} (process {demo.process.pid}).\n"
    )


def test_walk_pays_one_bill_and_every_side_agrees(demo: Demo) -> None:
    walked = quittance("demo", "--walk", environment=demo.environment)
    assert (walked.returncode, walked.stderr) == (0, "")
    lines = walked.stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["sign-up", "connect", "deliver"]
    assert lines[-1].startswith("Paid €")
    assert len(lines) == 21


@pytest.mark.parametrize("promise", [each for each in promises() if each.is_of_an_installation], ids=str)
def test_what_the_readme_promises_of_an_installation_is_kept(demo: Demo, promise: Promise) -> None:
    """After the walk: its payment is in the books."""
    promise.run(demo.environment)


@pytest.mark.long
@pytest.mark.timeout(330)  # nineteen payments, and nobody says how busy the machine is
def test_every_bank_that_ships_is_walked(demo: Demo) -> None:
    """Over its own standard, profile and quirks; the British ones over TLS with a client certificate."""
    walked = quittance("demo", "--walk", "--all-banks", environment=demo.environment, patience_s=300)
    files_there = len(list(BANKS.glob("*.toml")))
    assert (walked.returncode, walked.stderr) == (0, ""), walked.stdout
    assert walked.stdout.splitlines()[-1] == f"{files_there} of {files_there} banks walked"


@pytest.mark.parametrize("bank", spread(["albion", "alpenkasse", "canaux"], every=3))
def test_a_bank_of_each_standard_is_walked(demo: Demo, bank: str) -> None:
    """UK Open Banking, NextGenPSD2, STET."""
    walked = quittance("demo", "--walk", "--bank", bank, environment=demo.environment)
    assert (walked.returncode, walked.stderr) == (0, ""), walked.stdout
    assert walked.stdout.splitlines()[-1].startswith("Paid ")


def test_the_banks_that_can_tell_us_of_changes_by_themselves(demo: Demo) -> None:
    """The demo asked them to, and what they send is taken at our door."""
    database = demo.data / "sandbox-bank-uk" / "bank.sqlite3"

    def events() -> list[str]:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return [row[0] for row in connection.execute("SELECT state FROM event")]

    def shown() -> list[str]:
        environment = {**demo.environment, "QUITTANCE_DEMO": "true"}
        return quittance("bank", "subscribe", "--all", "--show", environment=environment).stdout.splitlines()

    can = [path.stem for path in (ROOT / "config" / "banks").glob("*.toml") if "openbanking_uk" in path.read_text()]
    address = f"{demo.running.base_url}/banks"
    wanted = sorted(f"{bank}: events go to {address}/{bank}/events" for bank in can)
    demo.wait_for(lambda: sorted(shown()) == wanted, "not all banks were asked", seconds=60)
    walked = quittance("demo", "--walk", "--bank", can[0], environment=demo.environment)
    assert (walked.returncode, walked.stderr) == (0, ""), walked.stdout
    demo.wait_for(lambda: "delivered" in events(), "no event was taken", seconds=20)
    assert "dropped" not in events()


def test_a_recurring_consent_is_walked(demo: Demo) -> None:
    """Set up and used through our pages, refused beyond its limits and after its end; the bank's books say the same."""
    walked = quittance("demo", "--walk", "--recurring", environment=demo.environment)
    assert (walked.returncode, walked.stderr) == (0, ""), walked.stdout
    *steps, last = walked.stdout.splitlines()
    assert [line.split()[0] for line in steps] == list(RECURRING_STEPS)
    assert last.startswith(
        "Paid £7.50 within the limits of one consent and nothing beyond them, by the bank's books, in "
    )


@pytest.mark.long
def test_a_recurring_consent_is_walked_at_every_bank_that_has_them(demo: Demo) -> None:
    """In its version and profile, with its quirks; a bank whose file names none is not among them."""
    walked = quittance("demo", "--walk", "--recurring", "--all-banks", environment=demo.environment)
    they = sum("\nrecurring = " in path.read_text("utf-8") for path in BANKS.glob("*.toml"))
    assert (walked.returncode, walked.stderr) == (0, ""), walked.stdout
    assert walked.stdout.splitlines()[-1] == f"{they} of {they} banks walked"


def test_a_bank_without_recurring_payments_is_said_and_is_no_failure(demo: Demo) -> None:
    walked = quittance("demo", "--walk", "--recurring", "--bank", "horizon", environment=demo.environment)
    assert (walked.returncode, walked.stderr) == (0, "")
    assert walked.stdout == "Horizon Bank offers no recurring payments.\n"


def test_a_bank_that_is_not_there_is_one_sentence(demo: Demo) -> None:
    walked = quittance("demo", "--walk", "--bank", "nowhere", environment=demo.environment)
    assert (walked.returncode, walked.stdout) == (1, "")
    assert walked.stderr.startswith("quittance: There is no bank nowhere; there are: albion, ")


def test_stopping_is_clean_and_the_second_start_finds_everything(tmp_path: Path) -> None:
    ports = free_ports(len(PORT_NAMES))
    with running_demo(tmp_path / "var", ports=ports) as first:
        before, told = delivered(first), files.read_json(first.data / "demo-biller" / "billers.json")
        children = list(first.running.children.values())
        children += [grandchild for child in children for grandchild in children_of(child)]
        assert first.stop() == 0
    assert first.said.endswith("Stopping …\nStopped.\n")
    assert "Traceback" not in first.said + first.logs
    assert not any(process_exists(pid) for pid in children)
    assert not (first.data / "run.json").exists()
    with running_demo(tmp_path / "var", ports=ports) as second:
        assert page_status(second) == 200
        assert delivered(second) == before
        assert files.read_json(second.data / "demo-biller" / "billers.json") == told


def test_nobody_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with running_demo(tmp_path / "var") as demo:
        children = list(demo.running.children.values())
        everybody = children + [grandchild for child in children for grandchild in children_of(child)]
        assert len(everybody) == 7 + 2 + 1 + 1 + 1 + 1 + 1
        demo.process.kill()
        demo.process.wait()
        demo.wait_for(lambda: not any(process_exists(pid) for pid in everybody), "somebody is left", seconds=10)


def test_a_busy_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = [*free_ports(len(PORT_NAMES) - 1), other.getsockname()[1]]
        ended = quittance("demo", environment=environment_for(tmp_path / "var", ports))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"quittance: Port {ports[-1]} is in use by another program; choose another one with QUITTANCE_BILLER_PORT.\n"
    )


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    ended = quittance("demo", environment=environment_for(tmp_path / "file" / "var", free_ports(len(PORT_NAMES))))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"quittance: The folder {tmp_path}/file/var may not be written to; choose another one with QUITTANCE_DATA.\n"
    )
