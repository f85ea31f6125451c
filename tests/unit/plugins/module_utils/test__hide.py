"""Secrets are kept out of what modules return and log, whatever ansible-core hides by itself, and short ones leave other words alone."""

from __future__ import annotations

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlenv.jupyter.plugins.module_utils import _container_pip, _look
from ansible_collections.mlenv.jupyter.plugins.module_utils._hide import HIDDEN, hide
from ansible_collections.mlenv.jupyter.plugins.module_utils._module import Module

LONG = "long-enough-secret"


@pytest.mark.parametrize(
    ("text", "secret", "shown"),
    [
        (f"GET {LONG}", LONG, f"GET {HIDDEN}"),
        ("unreachable about ab", "ab", "unreachable about ab"),
        ("http://user:ab@index/ab?x=ab", "ab", f"http://user:{HIDDEN}@index/ab?x=ab"),
        ("https://abcdefgh@index/abcdefgh", "abcdefgh", f"https://{HIDDEN}@index/{HIDDEN}"),
        ("https://u:p@index and p", "u:p@", f"https://{HIDDEN}@index and p"),
        (f"{LONG}er {LONG}", {LONG, f"{LONG}er"}, f"{HIDDEN} {HIDDEN}"),
    ],
)
def test_texts(text, secret, shown):
    assert hide(text, secret if isinstance(secret, set) else {secret}) == shown


def test_everything_that_is_returned():
    value = {"a": [LONG, ("x", {LONG: 1})], "b": None, "c": 5, "d": True}
    assert hide(value, {LONG}) == {"a": [HIDDEN, ["x", {HIDDEN: 1}]], "b": None, "c": 5, "d": True}
    assert hide(value, set()) is value


@pytest.mark.parametrize("password", ["ab", LONG])
@pytest.mark.parametrize("credentials", [_container_pip.credentials, _look.credentials])
def test_address_of_an_index(credentials, password):
    params = {"index_url": f"https://reader:{password}@index.example.com/simple", "name": ["abx", "unreachable"]}
    shown = hide(params, credentials(params))
    assert password not in shown["index_url"]
    assert shown["index_url"].endswith("@index.example.com/simple")
    assert shown["name"] == params["name"]


def test_module(monkeypatch):
    """What it logs and returns, and with which parameters: ansible-core 2.22 hides none of it by itself."""
    said = []
    monkeypatch.setattr(AnsibleModule, "__init__", lambda self: None)
    monkeypatch.setattr(AnsibleModule, "log", lambda self, msg, log_args=None: said.append((msg, log_args)))
    monkeypatch.setattr(AnsibleModule, "warn", lambda self, words: said.append(words))
    for end in ("exit_json", "fail_json"):
        monkeypatch.setattr(AnsibleModule, end, lambda self, end=end, **result: said.append((end, self.params, result)))
    module = Module(lambda params: {params["url"]})
    module.params = {"url": LONG, "name": "ab"}
    module.log(f"Invoked with {LONG}", {"url": LONG})
    module.finish({"stdout": LONG, "warnings": [f"Beware of {LONG}"]})
    module.params = {"url": LONG, "name": "ab"}
    module.finish({"msg": LONG})
    shown = {"url": HIDDEN, "name": "ab"}
    assert said == [
        (f"Invoked with {HIDDEN}", {"url": HIDDEN}),
        f"Beware of {HIDDEN}",
        ("exit_json", shown, {"stdout": HIDDEN}),
        ("fail_json", shown, {"msg": HIDDEN}),
    ]
