# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done for a lab: from what is wanted and from one look at how things are, before anything is changed.

Private to the collection. ``wanted`` holds the variables of role lab without their prefix, ``look`` what lab_info saw.
As templates all this would be compiled anew for each task that asks: half of a run with nothing to do.
"""

from __future__ import annotations

import hashlib
import json
import re
import string
from itertools import takewhile
from secrets import choice

from ansible.module_utils.common.text.formatters import human_to_bytes
from ansible_collections.mlenv.jupyter.plugins.filter.stacks_env import stacks_env
from ansible_collections.mlenv.jupyter.plugins.module_utils._mounts import WITHOUT_OWNERS
from ansible_collections.mlenv.jupyter.plugins.module_utils._names import (
    CERTIFICATE,
    CONFIG_MOUNT,
    IMAGE_GID,
    IMAGE_UID,
    IMAGE_USER,
    LABEL,
    SCRIPTS,
    SECRET_CONFIG,
    SERVER_CONFIG,
    SKELETON,
    is_loopback,
)
from ansible_collections.mlenv.jupyter.plugins.module_utils._proxy import LOOPBACK, secret_text
from ansible_collections.mlenv.jupyter.plugins.plugin_utils import _gpu_choice, _neighbours
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._refusals import refusals
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._scripts import script
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._ways import find_ways, read_volume

# By which programs find what they shall trust.
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS")
# Of TLS 1.2 these alone, which no older version has; 1.3 has its own.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
# The image's own test, asked gently: as it comes, a busy host makes a working lab unhealthy.
HEALTHCHECK = {"interval": "30s", "timeout": "10s", "start_period": "60s", "retries": 3, "test_cli_compatible": True}
NOBODY = "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin"


def plan(wanted: dict, look: dict) -> dict:
    """Why the lab cannot be had, or all that is to be done for it, without what may be secret. Filter lab_plan tells of each key."""
    lab = Wanted(wanted, look)
    decided = {"refused": refusals(lab.completed(), look), "differs": {}, "busy": False, "brings_home": lab.brings_home}
    if not decided["refused"] and wanted["state"] in ("started", "restarted"):
        decided.update(lab.decide())
    return decided


def secrets(wanted: dict, look: dict) -> dict:
    """What facts are not to tell: the container's environment, and its files, of which some tell of it."""
    lab = Wanted(wanted, look)
    return {"env": lab.env(), **lab.storage(), "home": lab.home_directories()}


class Wanted:
    """The lab as it shall be, beside the look at how it is."""

    def __init__(self, wanted: dict, look: dict):
        self.wanted, self.look = wanted, look
        self.podman, self.rootless = look["engine"]["kind"] == "podman", look["engine"]["rootless"]
        self.uid, self.gid = look["owner"]["lab_uid"], look["owner"]["lab_gid"]
        # The same user as the lab sees it: without root on the host, Podman shows its own user as that of the image.
        self.inner_uid, self.inner_gid = (IMAGE_UID, IMAGE_GID) if self.rootless else (self.uid, self.gid)
        self.user = wanted["user"]
        self.home = f"/home/{self.user}"
        # Another name is given to the image's user at start, and everything of ours moves along.
        self.renamed = self.user != IMAGE_USER
        # Without root nobody in the container can write its /etc/passwd: a user other than the image's own is brought along.
        self.brings_user = not wanted["sudo"] and (self.renamed or self.inner_uid != IMAGE_UID)
        # And nobody could make a home for a renamed one, so it is a directory of the host.
        self.brings_home = self.brings_user and self.renamed
        # Groups of the host are not in the user namespace of Podman without root.
        self.groups = [] if self.rootless else look.get("groups", {"given": []})["given"]
        # Their names come along, where there is no root to write them down.
        self.brings_groups = self.brings_user or (not wanted["sudo"] and len(self.groups) > 0)
        self.private = (look["config_dir"] or {}).get("path", "")
        self.files = (look["config_dir"] or {}).get("files", {})
        self.tls = wanted["tls"]["mode"]
        self.clock_skew = look.get("clock_skew", 0.0)
        self.exposed = not is_loopback(wanted["bind_address"])
        self.gpu = self._gpus()
        self.shm_size = wanted["shm_size"] or f"{max(1, 8 * len(self.gpu['devices']))}g"  # workers of data loaders hand their batches over in memory

    def _gpus(self) -> dict:
        try:
            return _gpu_choice.choose(self.wanted["gpus"], list(self.wanted["gpu_play"]), self.look)
        except _gpu_choice.Refused:
            return {**_gpu_choice.NOTHING, "note": ""}

    def completed(self) -> dict:
        """What is wanted, with what follows from it, for those who refuse."""
        tls = {**self.wanted["tls"], "names": self.names_outside(), "clock_skew": self.clock_skew}
        return {**self.wanted, "tls": tls, "tunnel": self.tunnel(), "shm_size": self.shm_size, "brings_home": self.brings_home}

    # -- By which names people come ---------------------------------------------------------------------------------

    def _host(self) -> str:
        host = self.wanted["host"]
        return self.look["hostname"] if host["local"] else host["address"]

    def names_outside(self) -> list:
        """By which people come from elsewhere: what they were told, the one address, or the host's name."""
        if self.wanted["tls"]["names_given"]:
            return list(self.wanted["tls"]["names"])
        if not self.exposed:
            return []
        address = self.wanted["bind_address"]
        return ([] if address in ("0.0.0.0", "::") else [address]) + [self._host()]

    def names(self) -> list:
        """And from the host itself, or through a tunnel."""
        return list(dict.fromkeys([*self.names_outside(), "localhost", "127.0.0.1", "::1"]))

    def scheme(self) -> str:
        return "https" if self.tls != "none" or self.wanted["tls"]["gen_cert"] else "http"

    def base_url(self) -> str:
        path = self.wanted["base_url"].strip("/")
        return f"/{path}/" if path else "/"

    def url(self) -> str:
        address = self.names_outside()[0] if self.exposed else self.wanted["bind_address"]
        return f"{self.scheme()}://{in_url(address)}:{self.wanted['port']}{self.base_url()}lab"

    def tunnel(self) -> str:
        address, port, host = self.wanted["bind_address"], self.wanted["port"], self.wanted["host"]
        to = "127.0.0.1" if self.exposed else in_url(address)
        words = f"-p {host['port']} " if int(host["port"] or 22) != 22 else ""
        user = f"{host['user']}@" if host["user"] else ""
        return f"ssh -N -L {port}:{to}:{port} {words}{user}{self._host()}"

    # -- What the server and its user are told ----------------------------------------------------------------------

    def server_config(self) -> str:
        """In a file, so that no log and no command line shows it."""
        app = {"root_dir": f"{self.home}/work", "base_url": self.base_url()}
        if self.tls != "none":
            # Read for each connection: another certificate needs no restart.
            app.update(certfile=f"{CONFIG_MOUNT}/{CERTIFICATE}", keyfile=f"{CONFIG_MOUNT}/{CERTIFICATE}", ssl_options={"ciphers": CIPHERS})
        config = {"ServerApp": app}
        if self.wanted["password_hash"]:
            config["PasswordIdentityProvider"] = {"hashed_password": self.wanted["password_hash"]}
        # The line ends are more than looks: ansible-core 2.18 takes a text that begins with a brace for a dictionary.
        return f"\n{json.dumps(config, indent=4, sort_keys=True)}\n"

    def passwd(self) -> str:
        lines = [
            "root:x:0:0:root:/root:/usr/sbin/nologin",
            f"{self.user}:x:{self.inner_uid}:{self.inner_gid}::{self.home}:/bin/bash",
            # The images' start script dies without a jovyan, whoever runs it.
            *([f"{IMAGE_USER}:x:{IMAGE_UID}:{IMAGE_GID}::/home/{IMAGE_USER}:/bin/bash"] if self.renamed else []),
            *([NOBODY] if self.user != "nobody" else []),
        ]
        return "".join(f"{line}\n" for line in lines)

    def group(self) -> str:
        """The numbers are what counts. A name that two of them have is told apart."""
        theirs = [(group["name"], group["gid"], self.user) for group in self.groups]
        names, lines = {"root": 0, "users": 100, "nogroup": 65534}, []
        for name, number, members in [(self.user, self.inner_gid, ""), *theirs]:
            told_apart = "" if names.setdefault(name, number) == number else f"-{number}"
            lines.append(f"{name}{told_apart}:x:{number}:{members}\n")
        return f"root:x:0:\nusers:x:100:{self.user}\n{''.join(lines)}nogroup:x:65534:\n"

    def told(self) -> list:
        """The files in the lab's private directory whose content the container sees from its start on."""
        # The hash of a password, or of the one before, can be guessed at.
        shown = "secret" if self.wanted["password_hash"] or self.files[SERVER_CONFIG[0]]["hash"] else "content"
        files = [{"name": SERVER_CONFIG[0], shown: self.server_config(), "mode": "0400"}]
        if self.brings_user:
            files.append({"name": "passwd", "content": self.passwd(), "mode": "0644"})
        if self.brings_groups:
            files.append({"name": "group", "content": self.group(), "mode": "0644"})
        return files + [{"name": name, "content": text, "mode": "0644"} for name, text in self.scripts().items()]

    def scripts(self) -> dict:
        """Name -> what the image's start script and login shells read. Without root, there is no user to be made."""
        image = self.look["image"]["path"]
        # In front of the image's own programs: ~/.local/bin, and what lab_env has there.
        own = takewhile(lambda path: path not in image.split(":"), self.env()["PATH"].split(":"))
        settings = {
            "start-notebook.sh": {},
            "before-notebook.sh": {"home": self.home, "ways": self.ways()["in_home"], "groups": [f"{group['gid']}:{group['name']}" for group in self.groups]},
            "path.sh": {"home": self.home, "own": ":".join(own), "image": image},
        }
        return {name: script(name, values) for name, values in settings.items() if self.wanted["sudo"] or name != "start-notebook.sh"}

    # -- Its directories and files ----------------------------------------------------------------------------------

    def storage(self) -> dict:
        """The parameters of module lab_files. A certificate is made when they are there."""
        work, private = self.look["work_dir"], self.look["config_dir"]
        theirs = {"owner": self.uid, "group": self.gid}
        files = []
        if work["type"] == "absent":
            files += self._above(work, "0755")
            files.append({"path": work["made_at"], "state": "directory", **theirs, "mode": "0755"})
        if private["type"] == "absent":
            files += self._above(private, "0700")
        files.append({"path": self.private, "state": "directory", **theirs, "mode": "0700"})
        files += [{"path": f"{self.private}/{file.pop('name')}", **theirs, **file} for file in self._private_files()]
        return {"secrets": {file["path"]: file.pop("secret") for file in files if "secret" in file}, "files": files}

    def _above(self, place: dict, mode: str) -> list:
        """The directories that are missing above a path. In the owner's home they are the owner's; elsewhere they stay those of who runs this, since
        who owns one could put other files in the place of a neighbour's."""
        owner = {"owner": self.look["owner"]["uid"], "group": self.look["owner"]["gid"], "mode": mode} if place["in_home"] else {"mode": "0755"}
        return [{"path": path, "state": "directory", "force": False, **owner} for path in place["missing"]]

    def home_directories(self) -> list:
        theirs = {"state": "directory", "owner": self.uid, "group": self.gid}
        home = [{"path": f"{self.private}-home{below}", **theirs, "mode": "0755"} for below in ("", "/.local", "/work")] if self.brings_home else []
        return home + ([{"path": self.skeleton(), **theirs, "mode": "0700"}] if self.skeleton() else [])

    def skeleton(self) -> str:
        """Where the files of the image's home are, if something hides it: memory, or a mount of another one. A renamed user sees it beside the own."""
        hidden = self.wanted["read_only_image"] or self.home in [read_volume(volume)[1] for volume in self.wanted["volumes"]]
        return f"{self.private}/{SKELETON}" if hidden and not self.renamed else ""

    def _private_files(self) -> list:
        wanted, files = self.wanted, []
        files.append({"name": "token", "mode": "0400", **self._token()})
        if self.tls == "none":
            files += self._gone(CERTIFICATE)
        elif not self.certificate_differs():
            files.append({"name": CERTIFICATE, "mode": "0400"})
        files += self.told()
        proxy = wanted["proxy"]
        secret = secret_text(wanted["secret_config"], proxy, wanted["docker_cli"]) if isinstance(proxy, dict) else wanted["secret_config"]
        # The client's password never leaves the host.
        theirs = {"proxy_of": wanted["docker_cli"]} if proxy == "auto" and self.look["proxy"]["secret"] else {}
        if secret or theirs:
            # Read by the server alone, which hands it on to kernels and terminals.
            files.append({"name": SECRET_CONFIG, "secret": secret, "mode": "0400", **theirs})
        else:
            files += self._gone(SECRET_CONFIG)
        if wanted["ca_files"]:
            host = self.look["ca_bundle"]["path"]
            files.append({"name": "ca-certificates.crt", "begins_with": host or None, "content": wanted["ca_certificates"], "mode": "0644"})
        return files

    def _token(self) -> dict:
        """Without a newline, which the server would take for a part of it."""
        if not self.token_differs():
            return {}
        if self.files["token"]["newline"] and not self.wanted["token_rotate"]:
            return {"chomp": True}
        return {"secret": self.wanted["token"] or new_token()}

    def _gone(self, name: str) -> list:
        return [] if self.files[name]["type"] == "absent" else [{"name": name, "state": "absent"}]

    # -- The container ----------------------------------------------------------------------------------------------

    def env(self) -> dict:
        wanted = self.wanted
        env = {
            "HOME": self.home,
            "PATH": f"{self.home}/.local/bin:{self.look['image']['path']}",
            "JUPYTER_TOKEN_FILE": f"{CONFIG_MOUNT}/token",
            "JUPYTER_CONFIG_PATH": CONFIG_MOUNT,
            # Off the packages volume: a note of a server that was killed would deceive the next one's health check. In memory: the token is in it.
            "JUPYTER_RUNTIME_DIR": "/dev/shm/jupyter-runtime",
        }
        if self.renamed:
            env["NB_USER"] = self.user
        if wanted["sudo"]:
            # The top of the home alone: never the mounts below it, which are the host's.
            env.update(NB_UID=self.inner_uid, NB_GID=self.inner_gid, GRANT_SUDO="yes", CHOWN_HOME="yes")
        if wanted["ca_files"]:
            env.update(dict.fromkeys(CA_VARIABLES, f"{CONFIG_MOUNT}/ca-certificates.crt"))
        env.update(self.proxy())
        if wanted["umask"]:
            env["NB_UMASK"] = wanted["umask"]
        # Read last, all together: a switch that is off takes away what we switch on.
        return stacks_env({**env, **self.gpu["env"], **wanted["env"]})

    def proxy(self) -> dict:
        """As the engine's client gives it to containers, in both cases; never for the lab itself. Those with a password are told in a file."""
        there = self.look["proxy"]
        if not there["env"].keys() - {"no_proxy"} and not there["secret"]:
            return {}
        given = [name for name in there["env"].get("no_proxy", "").split(",") if name]
        values = {**there["env"], "no_proxy": ",".join(dict.fromkeys([*given, *LOOPBACK, self.wanted["name"], *self.names()]))}
        mine = {name.lower() for name in self.wanted["env"]}
        return {form: value for name, value in values.items() if name not in mine for form in (name, name.upper())}

    def volumes(self) -> list:
        return self.own_volumes() + self.further_volumes()

    def further_volumes(self) -> list:
        return [self._mount(volume) for volume in self.wanted["volumes"]]

    def own_volumes(self) -> list:
        own = [
            f"{self.look['work_dir']['path']}:{self.home}/work",
            # nocopy: Docker would give an empty volume what the image has there, and its owner along with it.
            f"{self.wanted['packages_volume']}:{self.home}/.local:nocopy",
            f"{self.private}:{CONFIG_MOUNT}:ro",
        ]
        home = [f"{self.private}-home:{self.home}"] if self.brings_home else []
        brought = [name for name, is_brought in (("passwd", self.brings_user), ("group", self.brings_groups)) if is_brought]
        user = [f"{self.private}/{name}:/etc/{name}:ro" for name in brought]
        scripts = [f"{self.private}/{name}:{path}:ro" for name, path in SCRIPTS.items() if self.wanted["sudo"] or name != "start-notebook.sh"]
        if self.wanted["read_only_image"] and self.look["image"].get("conda"):
            # Where before-notebook.sh would write it.
            scripts.append(f"{self.private}/path.sh:{self.look['image']['conda']}/etc/conda/activate.d/zzz-mlenv.sh:ro")
        return home + own + user + scripts

    def ways(self) -> dict:
        """The directories that the engine would make for mounts: those that other mounts lack, and those in the home."""
        mounted = self.look["mounts"].items()
        files = {found.get("path", path) for path, found in mounted if found.get("type") not in ("directory", "absent", None)}
        return find_ways(self.home, self.own_volumes(), self.further_volumes(), files)

    def directories(self) -> dict:
        """What is made before the container starts. In the home, root does it at the start of the container, where there is root."""
        ways = self.ways()
        in_layer = [] if self.wanted["sudo"] or self.wanted["read_only_image"] else ways["in_home"]
        volumes = self.volumes() if ways["on_mounts"] else []
        # The engine would make them, as root's.
        named = [source for source, _target, read_only in map(read_volume, self.further_volumes()) if source and source[0] not in "/." and not read_only]
        return {"on_mounts": ways["on_mounts"], "in_layer": in_layer, "skeleton": self.skeleton(), "volumes": volumes, "named": named}

    def _mount(self, volume: str) -> str:
        """With ~ resolved: the module that makes the container would take it for the home of who runs this, who may be root."""
        source, colon, rest = volume.partition(":")
        return (self.look["mounts"][source]["path"] if source.startswith("~") else source) + colon + rest

    def _spec_of_before(self, spec: dict) -> dict:
        """The part of it that earlier versions wrote otherwise, with the same meaning: labs are not re-created for a notation."""
        ours = len(spec["volumes"]) - len(self.wanted["volumes"])
        same = [volume if self._meant_the_same(volume) else spec["volumes"][ours + number] for number, volume in enumerate(self.wanted["volumes"])]
        return {**spec, "volumes": spec["volumes"][:ours] + same}

    def _meant_the_same(self, volume: str) -> bool:
        return self.look["owner"]["uid"] == self.look["euid"] or not re.match(r"~(/|:|$)", volume)

    def tmpfs(self) -> list:
        """In memory, so nobody's after a stop; shares are of the host's. Builds of packages run programs in /tmp."""
        if not self.wanted["read_only_image"]:
            return []
        owner = f"mode=0755,uid={self.inner_uid},gid={self.inner_gid}"
        home = [] if self.brings_home else [f"{self.home}:exec,size=10%,{owner}"]
        ways = [f"{path}:exec,size=10%,{owner}" for path in self.ways()["in_home"]]
        return ["/tmp:exec,size=25%,mode=1777", f"/run:size=16m,{owner}", *home, *ways]

    def published_at(self) -> str:
        """All addresses have no name for Podman: 4.3 takes 0.0.0.0 for one that the host has."""
        address = self.wanted["bind_address"]
        return "" if self.podman and address == "0.0.0.0" else f"{in_url(address)}:"

    def restart_policy(self) -> str:
        """After a start of the host Podman starts those alone that shall always run. For YAML, a no without quotes is false."""
        policy = str(self.wanted["restart_policy"]).replace("False", "no")
        return "always" if self.podman and policy == "unless-stopped" else policy

    def spec(self) -> dict:
        """All that makes the container what it is."""
        wanted, sudo = self.wanted, self.wanted["sudo"]
        spec = {
            "image": self.look["image"]["name"],
            "user": "root" if sudo else f"{self.inner_uid}:{self.inner_gid}",
            "groups": [] if sudo else [str(IMAGE_GID), *(str(group["gid"]) for group in self.groups)],
            "env": self.env(),
            "volumes": self.volumes(),
            "published_ports": [f"{self.published_at()}{wanted['port']}:{wanted['container_port']}"],
            "networks": [{"name": name} for name in wanted["networks"]],
            # Root in the lab needs neither of the two, and with them could pose as a neighbour, or as a disk.
            "cap_drop": ["MKNOD", "NET_RAW"] if sudo else ["ALL"],
            # With SELinux, directories of the host keep their labels: to give them those of containers would shut out who else works there.
            "security_opts": self.privileges() + (["label=disable"] if self.look["engine"]["selinux"] else []),
            "read_only": wanted["read_only_image"],
            "tmpfs": self.tmpfs(),
            "device_requests": self.gpu["device_requests"],
            "shm_size": self.shm_size,
            "memory": wanted["memory"],
            "cpus": float(wanted["cpus"]),
            "pids": int(wanted["pids"]),
            "restart_policy": self.restart_policy(),
            "stop_timeout": int(wanted["stop_timeout"]),
            "log_options": {"max-size": wanted["log_max_size"], "max-file": wanted["log_max_files"]},
            "healthcheck": HEALTHCHECK,
            # No secret but the password's hash: what else is told in files is not in here.
            "files": [text_of(file) for file in self.told()],
        }
        # A part of it only where there are any: labs without are as they were before.
        if self.gpu["spec"]:
            spec["gpus"] = self.gpu["spec"]
        if self.rootless:
            spec["userns_mode"] = self.userns()
        return spec

    def privileges(self) -> list:
        """An engine may be told that no container is to gain any: sudo would be dead."""
        if not self.wanted["sudo"]:
            return ["no-new-privileges:true"]
        return ["no-new-privileges:false"] if self.look["engine"]["settings"].get("no-new-privileges") else []

    def userns(self) -> str:
        return f"keep-id:uid={IMAGE_UID},gid={IMAGE_GID}" if self.rootless else ""

    # -- What differs -----------------------------------------------------------------------------------------------

    def certificate_differs(self) -> bool:
        wanted, there = self.wanted["tls"], self.files[CERTIFICATE]
        if self.tls == "none":
            return there["type"] != "absent"
        if self.tls == "files":
            return there["sha256"] != sha256(wanted["key_text"] + wanted["certificate_text"])
        if not there["pair"] or (self.tls == "ca" and not wanted["authority"]):
            return True
        from ansible_collections.mlenv.jupyter.plugins.plugin_utils import _certificate  # takes longer than a whole run without TLS may

        return _certificate.why_anew(there["certificate"], self.names(), int(wanted["renew_days"]), wanted["authority"], self.clock_skew) != ""

    def token_differs(self) -> bool:
        token = self.files["token"]
        return self.wanted["token_rotate"] or token["type"] != "file" or not token["matches"]

    def files_differ(self) -> bool:
        return not self.files[SECRET_CONFIG]["matches"] or any(self.files[file["name"]]["sha256"] != sha256(text_of(file)) for file in self.told())

    def private_differs(self) -> bool:
        there, ours = self.look["config_dir"], (self.uid, "0400")
        return (
            (there["uid"], there["mode"]) != (self.uid, "0700")
            or owned(self.files["token"]) != ours
            or (self.tls != "none" and owned(self.files[CERTIFICATE]) != ours)
            or (self.wanted["ca_files"] and self.files["ca-certificates.crt"]["sha256"] != self.look["ca_bundle"]["sha256"])
        )

    def volume_foreign(self) -> bool:
        """Who owns the volume can be seen by root alone; None is nobody's to judge."""
        volume = self.look["volume"]
        # Where the file system keeps no owners, it stays whose it is; whether its user can write there is tried.
        return volume["exists"] and volume["uid"] not in (None, self.uid) and volume.get("file_system") not in WITHOUT_OWNERS

    def drifted(self) -> bool:
        """What can be changed on a living container behind our back, and so is not told by the digest."""
        there, wanted = self.look["container"], self.wanted
        return (
            there["memory"] != human_to_bytes(wanted["memory"] or "0")
            # Engines round what has many digits, such as a third of the host's.
            or abs(there["cpus"] - float(wanted["cpus"])) > 1e-4
            or ("pids" in self.look["engine"]["limits"] and there["pids"] != int(wanted["pids"]))
            or there["restart_policy"] != self.restart_policy()
            or (len(wanted["networks"]) > 0 and there["networks"] != sorted(wanted["networks"]))
        )

    def kernels_differ(self) -> list:
        """Names of those to which something is to be done."""
        there = self.look["packages"].get("kernels", {})
        return [kernel["name"] for kernel in self.wanted["kernel_texts"] if not there.get(kernel["name"], {}).get("satisfied")]

    def decide(self) -> dict:
        look, wanted, container = self.look, self.wanted, self.look["container"]
        spec = self.spec()
        digest = sha256(json.dumps(self._spec_of_before(spec), sort_keys=True))
        token, certificate, files = self.token_differs(), self.certificate_differs(), self.files_differ()
        anew = (
            not container["exists"]
            or container["spec"] != digest
            or container["image_id"] != look["image"]["id"]
            or self.drifted()
            or token
            or len(look["gpus"]["lost"]) > 0
        )
        # A server reads what it is told once, and a container keeps what was mounted at its start even if that is gone since.
        # One that lacks its certificate answers nobody, and needs no more than that.
        stale = container["running"] and (
            files
            or len(look["unread"]) > 0
            or look["work_dir"]["type"] == "absent"
            or len(look["lost_mounts"]) > 0
            or look["status"] not in (0, 200)
            or (look["hung"] and not certificate)
        )
        packages = look["packages"]
        differs = {
            # Without an engine or an image, check mode can only say what it would do.
            "blind": wanted["check_mode"] and not (look["engine"]["available"] and look["image"]["present"]),
            "storage": look["work_dir"]["type"] != "directory"
            or not look["volume"]["exists"]
            or self.volume_foreign()
            or token
            or files
            or certificate
            or self.private_differs(),
            "sources": not look["sources"]["as_wanted"],
            "container": anew,
            "down": not container["running"],
            "stale": stale,
            "packages": (wanted["wants_packages"] and not packages.get("satisfied")) or (wanted["migrate"] and len(packages.get("older", {})) > 0),
            "kernels": self.kernels_differ(),
        }
        return {
            "differs": {name: value if name == "kernels" else bool(value) for name, value in differs.items()},
            "busy": any(differs.values()) or wanted["state"] == "restarted",
            "uid": self.uid,
            "gid": self.gid,
            "inner_owner": [self.inner_uid, self.inner_gid],
            # As Podman counts: without root on the host, its own user is 0.
            "volume_owner": [0, 0] if self.rootless else [self.uid, self.gid],
            "token_differs": token,
            "certificate_differs": certificate,
            "volume_foreign": self.volume_foreign(),
            "names": self.names(),
            "directories": self.directories(),
            "aside": self.aside(),
            # Who else is on the machine, as it was now: hosts that fail are out of the play.
            "gpu_play": self.wanted["gpu_play"],
            "spec": {name: value for name, value in spec.items() if name not in ("env", "files")},
            "runtime": self.gpu["runtime"],
            "userns": self.userns(),
            "labels": {LABEL + "spec": digest, LABEL + "scheme": self.scheme(), LABEL + "base-url": self.base_url(), **self.gpu["labels"]},
            # What two labs that come at the same time cannot both have.
            "claims": _neighbours.claim_of(self.wanted | {"brings_home": self.brings_home}, look),
            "fact": self.fact(anew),
            "report": self.report(),
        }

    # -- What is said of it -----------------------------------------------------------------------------------------

    def fact(self, recreated: bool) -> dict:
        kernels = [str(kernel["name"]) for kernel in self.wanted["kernels"] if kernel.get("state") != "absent"]
        return {
            "name": self.wanted["name"],
            "url": self.url(),
            "token_file": f"{self.private}/token",
            "work_dir": self.look["work_dir"]["path"],
            "image": {"reference": self.wanted["image"], "id": self.look["image"]["id"]},
            "kernels": kernels,
            "gpus": self.gpu["devices"],
            "recreated": recreated,
        }

    def aside(self) -> str:
        """Under which name a container is kept that somebody made by hand, "" if there is none."""
        container = self.look["container"]
        return f"{self.wanted['name']}-by-hand-{container['id'][:12]}" if container["exists"] and not container["managed"] else ""

    def report(self) -> dict:
        """Sentences, "" for those that do not apply."""
        tls_dir, devices = self.wanted["tls"]["dir"], [f"{device['index']} {device['name']}" for device in self.gpu["devices"]]
        trust = {
            "ca": f"For browsers to trust it, import {tls_dir}/ca.crt from the machine of Ansible",
            "self_signed": "Its certificate signed itself, so browsers warn once",
        }
        sources = ", ".join(self.wanted["allowed_sources"])
        return {
            "trust": trust.get(self.tls, ""),
            "sources": f"Who may connect: {sources}, and the host itself" if self.look["sources"]["rules"] else "",
            "gpus": f"Its GPUs: {', '.join(devices)}" if devices else "",
            "note": self.gpu["note"],
            "tunnel": "" if self.wanted["host"]["local"] or self.exposed else f"From your machine: {self.tunnel()}",
        }


def new_token() -> str:
    """256 bits, which nothing between a terminal and a browser takes for something else."""
    return "".join(choice(string.ascii_letters + string.digits) for _letter in range(43))


def text_of(file: dict) -> str:
    return file.get("secret") or file["content"]


def in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def owned(file: dict) -> tuple:
    return file["uid"], file["mode"]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
