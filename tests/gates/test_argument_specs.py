"""What a role documents (meta/argument_specs.yml) is what it has (defaults/main.yml), at every entry point."""

from __future__ import annotations

import pytest
import yaml
from checkout import ROOT

ROLES = sorted(path.name for path in ROOT.glob("roles/*"))


def load(role, name):
    return yaml.safe_load((ROOT / "roles" / role / name).read_text(encoding="utf-8")) or {}


def is_template(value) -> bool:
    return isinstance(value, str) and "{{" in value


@pytest.mark.parametrize("role", ROLES)
def test_keys(role):
    defaults = load(role, "defaults/main.yml")
    specs = load(role, "meta/argument_specs.yml")["argument_specs"]
    assert sorted(specs["main"]["options"]) == sorted(defaults)
    for entry_point, spec in specs.items():
        # Another entry point may use fewer of them, never one that has no default.
        assert set(spec.get("options", {})) <= set(defaults), f"entry point {entry_point}"
        assert spec["short_description"] and spec["description"], f"entry point {entry_point}"


@pytest.mark.parametrize("role", ROLES)
def test_entry_points_are_task_files(role):
    documented = set(load(role, "meta/argument_specs.yml")["argument_specs"])
    existing = {path.stem for path in (ROOT / "roles" / role / "tasks").glob("*.yml")}
    assert documented <= existing


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_masked_for_being_a_variable(role):
    """Since ansible-core 2.22 the value of a variable that is no_log would be masked wherever it stands, "1" and "ok" as well. Ours stay in files."""
    for entry_point, spec in load(role, "meta/argument_specs.yml")["argument_specs"].items():
        assert [name for name, option in spec.get("options", {}).items() if "no_log" in option] == [], entry_point


@pytest.mark.parametrize("role", ROLES)
def test_values(role):
    defaults = load(role, "defaults/main.yml")
    for entry_point, spec in load(role, "meta/argument_specs.yml")["argument_specs"].items():
        for name, option in spec.get("options", {}).items():
            where = f"{entry_point}: {name}"
            assert option.get("description"), f"{where} has no description"
            assert option.get("type"), f"{where} has no type"
            computed_or_nothing = is_template(defaults[name]) or defaults[name] in ("", [], {}, None)
            if "default" in option or not computed_or_nothing:
                assert option.get("default") == defaults[name], where


@pytest.mark.parametrize("role", ROLES)
def test_readme_names_every_variable(role):
    text = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    missing = [name for name in load(role, "defaults/main.yml") if f"`{name}`" not in text]
    assert missing == []
