"""The images that all tests below use are built by our own role; a second run finds them."""

from __future__ import annotations

import re

import pytest
from checkout import run


@pytest.mark.parametrize("flavor", ["minimal", "scipy"])
def test_build(flavor):
    playbook = ["ansible-playbook", "tests/image.yml", "-e", f"test_flavor={flavor}"]
    run(*playbook)
    again = run(*playbook)
    assert re.search(r"localhost\s+:.*\bchanged=0\b", again)


def test_servers():
    """What the remote servers of the scenarios are made of: made here once, before scenarios that run side by side ask for it."""
    run("ansible-playbook", "tests/servers/images.yml", "-e", "servers_anew=true")
