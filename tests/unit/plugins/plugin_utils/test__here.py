"""What is decided in Ansible's own process tells it of no secret: ansible-core 2.22 would mask that in all that it prints."""

from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mlenv.jupyter.plugins.module_utils import _files, _look
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._here import in_clear


@pytest.mark.parametrize(
    ("arguments", "given"),
    [(_look.ARGUMENTS, {"token": "a", "secret_config": "ok"}), (_files.ARGUMENTS, {"files": [{"path": "/a"}], "secrets": {"/a": "1"}})],
)
def test_no_secret_is_registered(arguments, given):
    result = ArgumentSpecValidator(in_clear(arguments)).validate(given)
    assert result.error_messages == []
    assert result._no_log_values == set()
    assert [name for name in given if result.validated_parameters[name] != given[name]] in ([], ["files"])  # which has defaults added
    # Where a module is sent instead, its host's log must not have them.
    assert ArgumentSpecValidator(arguments).validate(given)._no_log_values > set()
