"""The lab and the browser of these tests."""

from __future__ import annotations

import json
import pathlib
import shutil
import urllib.parse

import pytest
from checkout import run
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

FLAGS = """
    --headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --remote-debugging-pipe --window-size=1280,860
""".split()


@pytest.fixture(scope="session", name="lab", params=["self_signed", "none"])
def fixture_lab(request, tmp_path_factory):
    """A lab made by the role, as the role reported it: with TLS, and without. Gone afterwards."""
    directory = tmp_path_factory.mktemp("e2e")
    playbook = ["ansible-playbook", "tests/e2e/lab.yml", "-e", f"e2e_directory={directory}", "-e", f"e2e_tls={request.param}"]
    try:
        run(*playbook)
        yield json.loads((directory / "lab.json").read_text(encoding="utf-8"))
    finally:
        run(*playbook, "-e", "e2e_state=absent")


@pytest.fixture(name="browser")
def fixture_browser(lab, tmp_path, monkeypatch):
    """Debian's Chromium with a new profile. Selenium must not look for drivers on the network: it is told where they are."""
    monkeypatch.setenv("LAB_PORT", str(urllib.parse.urlsplit(lab["url"]).port))
    options = Options()
    options.binary_location = str(pathlib.Path(__file__).with_name("chromium.sh"))
    options.accept_insecure_certs = True  # those that signed themselves: molecule/tls asks whom a browser trusts
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield browser
    browser.quit()
