"""Every variable does what it says."""

import datetime
import json
import os
import pathlib
import pwd
import re
import stat

import pytest
import yaml
from helpers import HOST, STATE, Lab, converge, play, wait_until

LAB = Lab("molecule-custom")
HOME = STATE / "home"
SECRET = "HF_TOKEN=a 'secret' \"of\" ours \\ ü"
MOUNTED = [f"{STATE}/files:/wheels:ro"]
ROLE = pathlib.Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], "roles/lab")


def test_no_variable_is_left_out():
    with open(os.environ["MOLECULE_FILE"], encoding="utf-8") as file:
        ours = yaml.safe_load(file)["provisioner"]["inventory"]["hosts"]["labs"]["hosts"]["custom"]
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    # What a lab cannot have together with these is that of scenarios tls, sources and airgap.
    tls = {"lab_insecure", "lab_tls_dir", "lab_tls_ca_passphrase", "lab_tls_certificate", "lab_tls_key", "lab_token_rotate"}
    elsewhere = {*tls, "lab_allowed_sources", "lab_wheels"}
    assert set(ours) == set(defaults) - elsewhere
    # The states are scenario lifecycle's.
    assert [name for name in ours if ours[name] == defaults[name]] == ["lab_state"]


def test_page():
    assert LAB.url == "https://127.0.0.2:28810/teams/alice/"
    assert LAB.inspect["HostConfig"]["PortBindings"] == {"9999/tcp": [{"HostIp": "127.0.0.2", "HostPort": "28810"}]}
    assert (LAB.ask(token="a-token+of&our#own")[0], LAB.ask(token="another-token")[0]) == (200, 403)


def test_certificate():
    certificate = HOST.check_output("openssl x509 -noout -enddate -ext subjectAltName -in %s", f"{HOME}/private/server.pem")
    assert "DNS:alice.example.com, DNS:localhost, IP Address:127.0.0.1" in certificate
    end = datetime.datetime.strptime(certificate.splitlines()[0] + "+0000", "notAfter=%b %d %H:%M:%S %Y GMT%z")
    assert round((end - datetime.datetime.now(datetime.timezone.utc)) / datetime.timedelta(days=1)) == 100


def test_what_is_decided_of_packages_is_the_same_before_there_is_a_lab(tmp_path):
    """Its variables, its directories and its user are those of the container that runs."""
    asked = {
        **{"image": "mlenv-test:minimal", "volume": "molecule-custom-packages", "home": "/home/alice", "owner": "molecule-custom", "volumes": MOUNTED},
        **{"work_dir": f"{HOME}/notebooks", "config_dir": f"{HOME}/private", "mounts": [MOUNTED[0].split(":")[0]]},
        "packages": ["made-up-one==${MADE_UP_VERSION}", "pycparser>${SECRET_VERSION}", "/wheels/made_up_two-1.0-py3-none-any.whl;python_version>'3'"],
        "requirements": "a is what\nno/such/directory\nb --nonsense\n./work; python_version < '3'\n",
        "constraints": "made-up-one<9; sys_platform == 'linux'\n",
        "env": {"MADE_UP_VERSION": "1.0", "PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0"},
        "secret_config": 'import os\n\nos.environ.update({"SECRET_VERSION": "0.0.1"})\n',
    }
    asks = [{"mlenv.jupyter.lab_info": {"name": name, **asked}, "register": name} for name in ("there", "missing")]
    asks[0]["mlenv.jupyter.lab_info"]["name"] = LAB.name
    said = {"ansible.builtin.debug": {"msg": "{{ [there, missing] | map(attribute='packages') | zip([there, missing] | map(attribute='packages_of')) }}"}}
    (tmp_path / "ask.yml").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [*asks, said]}]))
    run = play(tmp_path / "ask.yml")
    [[there, container], [missing, image]] = json.JSONDecoder().raw_decode(run.out, run.out.index('"msg": ') + 7)[0]
    assert (container, image) == ("container", "image")
    assert there == missing
    assert [one["text"] for one in there["malformed"]] == ["a is what", "no/such/directory", "b", "./work; python_version < '3'"]


def test_storage():
    uid = pwd.getpwnam("molecule-custom").pw_uid
    assert LAB.mounts == {
        "/home/alice": f"{HOME}/private-home",
        "/home/alice/work": f"{HOME}/notebooks",
        "/home/alice/.local": "molecule-custom-packages",
        "/etc/mlenv": f"{HOME}/private",
        "/etc/passwd": f"{HOME}/private/passwd",
        "/etc/group": f"{HOME}/private/group",
        "/usr/local/bin/before-notebook.d/zzz-mlenv.sh": f"{HOME}/private/before-notebook.sh",
        "/etc/profile.d/zzz-mlenv.sh": f"{HOME}/private/path.sh",
        "/opt/conda/etc/conda/activate.d/zzz-mlenv.sh": f"{HOME}/private/path.sh",
        "/wheels": f"{STATE}/files",
        "/keys": f"{HOME}/.ssh",
    }
    # What was there before the lab is as it was.
    assert stat.S_IMODE(HOME.stat().st_mode) == 0o751
    status, notebook = LAB.ask("api/contents", data={"type": "notebook"})
    assert status == 201
    found = (HOME / "notebooks" / notebook["path"]).stat()
    # The umask, and the owner.
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o640, uid)


def test_user():
    assert LAB.run("id", "-un").stdout.strip() == "alice"
    assert LAB.run("sudo", "-n", "true").rc != 0


def test_groups():
    assert {"users", "molecule-custom-one", "molecule-custom-two"} <= set(LAB.run("id", "-Gn").stdout.split())
    assert {"100", "45151", "45152"} <= set(LAB.run("id", "-G").stdout.split())


@pytest.mark.parametrize(("package", "version"), [("made-up-one", "1.0"), ("made-up-two", "1.0"), ("pycparser", "0.0.1")])
def test_packages(package, version):
    """From the list, from the requirements within the constraints, and in another version than the image's."""
    found = LAB.run("python3", "-c", f"from importlib.metadata import version; print(version('{package}'))")
    assert found.stdout.strip() == version


def test_kernel():
    found = LAB.run("/home/alice/.local/share/virtualenvs/own/bin/made-up-two")
    assert found.stdout == "2.0\n"


def test_exact():
    install = ("pip", "install", "--user", "--quiet", "--no-index", "--find-links=/wheels", "made-up-two==2.0", "ipykernel==1.0")
    assert LAB.run(*install).rc == 0
    assert converge().changed == ["Install the packages as the lab's user"]
    assert LAB.run("pip", "freeze", "--user").stdout.split() == ["made-up-one==1.0", "made-up-two==1.0", "pycparser==0.0.1"]


def test_migrate():
    assert LAB.run("mv", "/home/alice/.local/lib/python3.11", "/home/alice/.local/lib/python3.9").rc == 0
    assert converge().changed == ["Install the packages as the lab's user"]
    assert LAB.run("test", "-e", "/home/alice/.local/lib/python3.9").rc == 1


def test_locks():
    assert play("mlenv.jupyter.freeze").rc == 0
    packages = {path.name: re.findall(r"^[\w.-]+==[\d.]+", path.read_text(), re.MULTILINE) for path in (HOME / "locks").iterdir()}
    assert packages == {
        "custom.txt": ["made-up-one==1.0", "made-up-two==1.0", "pycparser==0.0.1"],
        "custom.own.txt": ["ipykernel==1.0", "made-up-two==2.0", "pip==99.0"],
    }


def test_settings_of_the_container():
    inspect = LAB.inspect
    settings = inspect["HostConfig"]
    assert (settings["Memory"], settings["NanoCpus"], settings["ShmSize"]) == (1 << 30, 1500000000, 256 << 20)
    assert (settings["PidsLimit"], settings["ReadonlyRootfs"]) == (2000, True)
    assert settings["RestartPolicy"]["Name"] == "no"
    assert settings["LogConfig"]["Config"] == {"max-size": "1m", "max-file": "5"}
    assert settings["CapDrop"] == ["ALL"]
    assert not settings["DeviceRequests"]
    assert inspect["Config"]["StopTimeout"] == 7
    assert list(inspect["NetworkSettings"]["Networks"]) == ["molecule-custom"]


def test_environment():
    env = set(LAB.inspect["Config"]["Env"])
    assert {"OMP_NUM_THREADS=4", "RESTARTABLE=yes", "JUPYTER_PORT=9999", "NB_UMASK=027", "REQUESTS_CA_BUNDLE=/etc/mlenv/ca-certificates.crt"} <= env
    assert not [item for item in env if item.startswith("GEN_CERT")]


def test_secret_environment():
    assert LAB.ask("api/terminals", data={})[0] == 200
    assert wait_until(lambda: SECRET in LAB.run("sh", "-c", "cat /proc/[0-9]*/environ | tr '\\0' '\\n'").stdout.splitlines())
    assert not [item for item in LAB.inspect["Config"]["Env"] if item.startswith("HF_TOKEN")]


def test_certificates_are_trusted():
    count = "import ssl; print(ssl.create_default_context(cafile='/etc/mlenv/ca-certificates.crt').cert_store_stats()['x509'] > 0)"
    assert LAB.run("python3", "-c", count).stdout == "True\n"
    company = (STATE / "files/company.crt").read_text(encoding="ascii").strip()
    assert LAB.run("cat", "/etc/mlenv/ca-certificates.crt").stdout.strip().endswith(company)


def test_client():
    assert (STATE / "files/client-was-used").exists()


def test_indexes():
    """With lab_no_index they are not asked; without it they are, and nobody answers."""
    run = play(None, "--check", lab_packages=["made-up-three"], lab_no_index=False)
    assert run.failures
    assert "Looking in indexes: https://127.0.0.1:9/index, https://127.0.0.1:9/extra" in run.out


def test_token_is_shown():
    run = converge()
    assert run.changed == []
    assert "https://127.0.0.2:28810/teams/alice/lab?token=a-token%2Bof%26our%23own" in run.out


def test_logs():
    run = play("mlenv.jupyter.logs")
    shown = re.search(r"^ok: .* => (\{\n.*?^\})", run.out, re.DOTALL | re.MULTILINE)
    assert json.loads(shown[1])["msg"] == HOST.check_output("docker logs --tail 5 %s 2>&1", LAB.name).splitlines()
