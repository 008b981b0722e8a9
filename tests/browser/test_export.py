"""Papers are taken along by a passkey, checked by the program that lies in them, and brought to another space."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from app.demo.cast import JONAS
from tests.browser.conftest import Screens
from tests.browser.screen import PATIENCE_MS

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_taken_along_checked_and_brought(screens: Screens, tmp_path: Path) -> None:
    screen = screens.new(downloads=True)
    screen.visit(JONAS)
    screen.open("/security")
    passkeys = screen.page.locator("section[aria-labelledby=passkeys] li")
    before = passkeys.count()  # others may have looked around as him
    screen.page.locator("[data-passkey=add] [data-go]").click()
    expect(passkeys).to_have_count(before + 1)
    screen.open("/privacy/export")
    screen.check_page()
    with screen.page.expect_download(timeout=PATIENCE_MS * 3) as coming:
        screen.page.get_by_role("button", name="Make the archive with your passkey").click()
    archive = tmp_path / "papers.zip"
    coming.value.save_as(archive)
    assert coming.value.suggested_filename.endswith(".zip")
    # the page stays, and can be used again
    expect(screen.page.locator("[data-busy]")).to_contain_text("The download begins by itself")
    expect(screen.page.locator("[data-passkey=signed] [data-go]")).to_be_enabled()
    program = tmp_path / "papers" / "verify.py"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(archive), str(program.parent)], check=True)
    said = subprocess.run([sys.executable, "-I", str(program)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout
    screen.open("/privacy/export")
    expect(screen.page.locator("section[aria-labelledby=before] li")).to_have_count(1)

    other = screens.new()
    other.sign_up("Nele Neumann", "nele@example.org")
    other.open("/privacy/import")
    other.check_page()
    other.page.locator("input[type=file]").set_input_files(archive)
    other.page.get_by_role("button", name="Check and keep it").click()
    other.at(r"/papers/brg_[0-9a-f]{32}")
    other.check_page()
    other.page.locator("table.ledger a").first.click()
    other.at(r"/papers/brg_[0-9a-f]{32}/[a-z]+_[0-9a-f]{32}")
    expect(other.page.get_by_text("Not a bill to pay here.")).to_be_visible()
    other.check_page()
    other.open("/papers")
    other.check_page()
    other.page.locator("summary", has_text="Remove").click()
    other.page.get_by_role("button", name="Remove these papers").click()
    expect(other.page.locator(".empty")).to_be_visible()
