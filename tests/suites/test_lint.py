"""Linters: one test each, none with anything skipped or ignored."""

from __future__ import annotations

import pytest
from checkout import COLLECTIONS, ROOT, files, run

DOCS = ["lint-collection-docs", "--plugin-docs", "--validate-collection-refs=all", "--disallow-unknown-collection-refs"]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["yamllint", "--strict", "."], id="yamllint"),
        pytest.param(["ansible-lint"], id="ansible-lint"),
        pytest.param(["ruff", "check", "--no-cache", "--config=tests/ruff.toml", "."], id="ruff"),
        pytest.param(["antsibull-docs", *DOCS, "."], id="antsibull-docs"),
        pytest.param(["antsibull-changelog", "lint"], id="antsibull-changelog"),
    ],
)
def test_lint(command):
    # antsibull-docs knows the collections that we depend on only by this variable.
    run(*command, ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS.parent))


def test_shellcheck():
    def is_shell(path):
        with (ROOT / path).open("rb") as file:
            return file.readline().strip() in (b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env bash")

    run("shellcheck", *filter(is_shell, files()))
