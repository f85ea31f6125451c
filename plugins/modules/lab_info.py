#!/usr/bin/python
# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_info
version_added: 0.1.0
short_description: One look at a Jupyter lab that runs in a container
description:
  - Learns in one round trip what there is to know about a lab. The engine, the image, the container and its health, who owns
    its storage, its port, the Python in it, which of the wanted packages are missing, and whether a person could work in it.
  - It is what role P(mlenv.jupyter.lab#role) decides from. It works just as well on a lab that was made by hand.
  - It changes nothing, and returns no token or password. It warns of a lab that the network can reach without TLS.
author:
  - mlenv.jupyter contributors (@mlenv)
options:
  name:
    description:
      - Name of the container. Without it, only the host, the engine and O(image) are looked at.
    type: str
    default: ""
    aliases: [container]
  image:
    description:
      - Reference of an image. RV(image) says whether it is on the host, and whether it is a Jupyter image.
    type: str
    default: ""
  owner:
    description:
      - User of the host to whom the lab belongs. Empty is the user that connected, before any C(become).
    type: str
    default: ""
  groups:
    description:
      - Groups of the host that the lab's user is to have, by name or number. V(auto) is those of O(owner) that are not as good as root.
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  work_dir:
    description:
      - Directory of the host to look at. C(~) is the home of O(owner).
    type: str
    default: ""
  config_dir:
    description:
      - Directory of the host that holds the lab's private files. C(~) is the home of O(owner).
    type: str
    default: ""
  volume:
    description:
      - Name of the packages volume. Empty is the one that the container has on C(~/.local).
    type: str
    default: ""
  home:
    description:
      - Home of the lab's user, for a lab that has no container yet.
    type: str
    default: /home/jovyan
  port:
    description:
      - Port of the host that the lab wants. RV(port_holder) says who else has it.
    type: int
    default: 0
  bind_address:
    description:
      - Address of the host on which O(port) is wanted.
    type: str
    default: 127.0.0.1
  allowed_sources:
    description:
      - Networks from which alone people may connect to O(port) of O(bind_address). RV(sources) says whether the host sees to that.
      - To see which rules are loaded needs root.
    type: list
    elements: str
    default: [0.0.0.0/0, "::/0"]
    version_added: 0.2.0
  networks:
    description:
      - Names of the engine's networks that the lab joins, for O(allowed_sources). Empty is the engine's default.
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  container_port:
    description:
      - Port in the container, for O(allowed_sources).
    type: int
    default: 8888
    version_added: 0.2.0
  packages:
    description:
      - Requirements, as pip takes them. RV(packages) says which of them are missing.
      - If the lab has no running container, its image is asked, in a container without network that is gone afterwards.
    type: list
    elements: str
    default: []
  packages_state:
    description:
      - With V(exact), what O(packages) and O(requirements) do not need is told as RV(packages), too, and they are not satisfied.
    type: str
    choices: [present, exact]
    default: present
    version_added: 0.2.0
  requirements:
    description:
      - Text of a requirements file, looked at together with O(packages).
    type: str
    default: ""
  constraints:
    description:
      - Text of a constraints file that O(packages) and O(requirements) must keep to.
    type: str
    default: ""
  kernels:
    description:
      - Isolated environments (O(mlenv.jupyter.container_pip#module:virtualenv)). RV(packages) says what is missing in them.
    type: list
    elements: dict
    default: []
    version_added: 0.2.0
    suboptions:
      name:
        description: Name of the environment and of its kernel.
        type: str
        required: true
      packages:
        description: Requirements, as pip takes them.
        type: list
        elements: str
        default: []
      requirements:
        description: Text of a requirements file.
        type: str
        default: ""
      constraints:
        description: Text of a constraints file.
        type: str
        default: ""
      state:
        description: What is wanted of it, as for O(mlenv.jupyter.container_pip#module:state).
        type: str
        choices: [present, exact, absent]
        default: present
  ca_certificates:
    description:
      - Certificates (PEM) that the lab shall trust beside those of the host.
    type: str
    default: ""
  token:
    description:
      - The wanted token. RV(config_dir) says whether the lab has it.
    type: str
    default: ""
  secret_config:
    description:
      - The wanted text of the file in O(config_dir) that holds secret variables. RV(config_dir) says whether the lab has it, and no more.
    type: str
    default: ""
    version_added: 0.2.0
  proxy:
    description:
      - The proxy that the lab is to use. V(auto) is the one that the engine's client gives to containers, V(none) is none, and a dictionary has the
        variables in lower case. RV(proxy) says what that is.
    type: raw
    default: none
    version_added: 0.2.0
  mounts:
    description:
      - Further paths of the host that the lab is to see. RV(mounts) says what they are.
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  volumes:
    description:
      - What else is to be mounted in the lab, as role P(mlenv.jupyter.lab#role) takes it. A look at packages that are in no container yet sees it, too.
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  env:
    description:
      - Variables that the lab is to have, as texts. Requirements may name them as C(${NAME}).
    type: dict
    default: {}
    version_added: 0.2.0
  index_lines:
    description:
      - Where packages come from, as lines of a requirements file. RV(indexes) says which of these would not serve a lab that is yet to come.
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  protect_image:
    description:
      - Whether the packages of the image are protected, as M(mlenv.jupyter.container_pip) has it. RV(protected) says what that forbids.
    type: bool
    default: false
    version_added: 0.2.0
  gpus:
    description:
      - Whether to look at the GPUs of the host and of the lab. Where there is no driver, that costs nothing.
    type: bool
    default: true
    version_added: 0.2.0
  wait:
    description:
      - How long to wait, in seconds, until the lab is ready. V(0) looks once.
      - With a positive value the module fails if the lab is not ready in time, and shows the end of its log.
    type: int
    default: 0
  sizes:
    description:
      - Whether to add up how much disk the packages volume and the work directory take, which costs time on large ones.
    type: bool
    default: false
  log_lines:
    description:
      - How many of the last lines of the log to return, with tokens masked.
    type: int
    default: 0
  docker_cli:
    description:
      - Client of the engine, a name or a path.
    type: str
    default: docker
  docker_host:
    description:
      - Address of the engine. Empty is the client's own default.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Can run in check mode, and does the same there, as it changes nothing.
  diff_mode:
    support: N/A
    description: Nothing is changed, so there is nothing to compare.
seealso:
  - module: mlenv.jupyter.container_pip
  - module: community.docker.docker_container_info
"""

EXAMPLES = r"""
- name: Look at the lab of the article
  mlenv.jupyter.lab_info:
    name: jupyter-ds
  register: lab

- name: Say where it is
  ansible.builtin.debug:
    msg: "{{ lab.url if lab.ready else 'not ready, ' ~ lab.container.state }}"

- name: Wait until a person can work in it
  mlenv.jupyter.lab_info:
    name: jupyter-ds
    wait: 60

- name: Learn what is missing in it
  mlenv.jupyter.lab_info:
    name: jupyter-ds
    packages: [scikit-learn, "seaborn>=0.13"]
"""

RETURN = r"""
engine:
  description:
    - Whether an engine answers, why not, its version, runtimes, processor and number of CPUs, where it keeps its data, and how many bytes are free
      there (V(-1) is unknown).
    - Where none answers, C(root_dir) and C(free) are of where its data is or will be, and C(daemon) is the path of Docker's daemon, if it is there.
    - How many containers run or are paused, whether they would outlive the engine (C(live_restore)), and where it reads CDI specifications, if it does.
    - C(kind) is V(docker) or V(podman), C(limits) what the host lets it limit, C(rootless) whether Podman runs without root, and
      C(selinux) whether SELinux keeps containers from files of the host.
      C(socket) is where Podman speaks as Docker does, and empty if it does not.
    - C(address) is the engine that the client talks to, C(named_by) what names it (empty if nothing does), C(environment) what tells modules of
      community.docker the same, C(conflict) why those cannot talk to it, C(default) whether it is the host's default engine, and C(here) whether it is
      on this host. C(settings) are those of Docker's daemon that change each container, and are not as Docker has them by default.
  returned: always
  type: dict
  sample: {available: true, reason: "", kind: docker, version: "26.1.5", runtimes: [runc], default_runtime: runc, cdi_dirs: [/etc/cdi, /var/run/cdi],
    limits: [memory, cpus, pids], rootless: false, selinux: false, socket: "", architecture: x86_64, cpus: 8, containers: 1, live_restore: false,
    address: "unix:///run/user/1000/docker.sock", named_by: DOCKER_CONTEXT=rootless, environment: {DOCKER_HOST: "unix:///run/user/1000/docker.sock"},
    settings: {no-new-privileges: true}, conflict: "", default: false, here: true, root_dir: /var/lib/docker, free: 68719476736}
gpus:
  description:
    - Of the host, C(driver) is the version of NVIDIA's driver, C(devices) what it drives, C(trouble) why it does not answer, C(warning) what
      C(nvidia-smi) says besides the GPUs that work (of one that is lost, say), C(card) whether there is a card at all, C(toolkit) the path of
      C(nvidia-ctk), if the toolkit is whole, C(ways) how the engine can hand them over, C(cdi) the names in its CDI specification, C(cdi_path)
      where that is, C(cdi_stale) whether it is for another driver or other GPUs, C(holders) which running labs have which of them.
    - Of the lab, C(seen) is what C(nvidia-smi -L) in it shows, C(lost) why that is not what it was given, and, with O(wait), C(framework)
      what PyTorch or TensorFlow in it says.
  returned: always
  type: dict
  version_added: 0.2.0
  sample:
    driver: 570.133.20
    devices: [{index: "0", uuid: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f, name: NVIDIA A10, compute: "8.6"}]
    trouble: ""
    warning: ""
    card: true
    toolkit: /usr/bin/nvidia-ctk
    ways: [cdi, runtime]
    cdi: ["0", all]
    cdi_path: /etc/cdi/nvidia.yaml
    cdi_stale: false
    holders: [{lab: jupyter-ds, gpus: [GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f], exclusive: false}]
    seen: [{index: "0", uuid: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f, name: NVIDIA A10, compute: ""}]
    lost: ""
    framework: {name: PyTorch, version: 2.11.0, cuda: "12.8", devices: 1}
log:
  description: The last lines of the log, with tokens masked.
  returned: if O(log_lines) is positive, and if the lab did not become ready
  type: list
  elements: str
sizes:
  description: Bytes on disk, V(-1) where they cannot be seen.
  returned: if O(sizes=true)
  type: dict
  sample: {volume: 104857600, work_dir: 4096}
requests:
  description: Whether the Python that runs modules on this host can run those of community.docker.
  returned: always
  type: bool
euid:
  description: Numeric user id that the module ran with.
  returned: always
  type: int
owner:
  description: The user to whom the lab belongs, and the numbers C(lab_uid) and C(lab_gid) that the lab's user gets.
  returned: always
  type: dict
  sample: {name: alice, uid: 1001, gid: 1001, home: /home/alice, lab_uid: 1001, lab_gid: 1001}
groups:
  description: Those of O(groups) that the host has (C(given)), besides those that each lab's user has, and those that it has not (C(unknown)).
  returned: always
  type: dict
  sample: {given: [{gid: 5000, name: projects}], unknown: []}
  version_added: 0.2.0
image:
  description:
    - Whether the image is on the host, its id, C(name), as the engine calls it, whether it is a Jupyter image and starts a server (C(serves)), and what
      CUDA it says that it is made for.
  returned: always
  type: dict
  sample: {present: true, name: "quay.io/jupyter/scipy-notebook:2026-11-16", jupyter: true, serves: true, cuda: {version: 12.8.1, requires: ""},
    id: "sha256:0123...", path: "/usr/local/bin:/usr/bin", conda: /opt/conda, architecture: amd64, size: 900000000}
container:
  description:
    - State, health, restarts, image, settings and mounts of the container.
    - C(spec) is the digest of what was wanted when role P(mlenv.jupyter.lab#role) made it, C(managed) whether it did. C(namesake) is the name of
      another container whose ID begins like the name that was asked for, which engines would take for it.
  returned: always
  type: dict
  sample: {exists: true, state: running, running: true, health: healthy, restarts: 0, managed: true}
unwritable:
  description:
    - Where in a running lab of role P(mlenv.jupyter.lab#role) its user cannot write, its work directory or its packages, and why. It is tried, and
      nothing of that stays. Empty if all is well, or if it cannot be told; a lab in which nobody can write is not ready.
    - C(cannot) in C(work_dir), C(config_dir) and C(volume) is the same of the host.
  returned: always
  type: dict
  version_added: 0.2.0
  sample: {}
proxy:
  description:
    - The variables of O(proxy) in lower case (C(env)), the names of those that have a password in them and are not shown (C(secret)), what names them
      (C(named_by)), and what is wrong with one (C(wrong)).
  returned: always
  type: dict
  sample: {env: {https_proxy: "http://proxy.example.com:3128"}, secret: [], named_by: proxies in /root/.docker/config.json, wrong: ""}
  version_added: 0.2.0
lost_mounts:
  description: Paths in the running container at which it still has a file or directory of the host that was deleted since it started.
  returned: always
  type: list
  elements: str
  sample: []
unread:
  description: Files that the server is told its settings by and that were written after it started, so that it has not read them.
  returned: always
  type: list
  elements: str
  sample: []
  version_added: 0.2.0
mounts:
  description: For each of O(mounts), where it leads (C(real)), type (C(absent), or C(hidden) if that may not be seen), owner and mode.
  returned: always
  type: dict
  sample: {/data: {path: /data, real: /srv/data, type: directory, uid: 0, gid: 0, mode: "0755"}}
  version_added: 0.2.0
networks:
  description: The driver of each of O(networks) that there is.
  returned: always
  type: dict
  sample: {data: bridge}
  version_added: 0.2.0
volume:
  description: Whether the packages volume exists, and who owns its top, where that can be seen.
  returned: always
  type: dict
  sample: {name: jupyter-data, exists: true, uid: 1001, gid: 1001}
work_dir:
  description: Path, where it leads (C(real)), type, owner and mode of the work directory.
  returned: always
  type: dict
  sample: {path: /home/alice/_jupyter_mount, real: /home/alice/_jupyter_mount, type: directory, uid: 1001, gid: 1001, mode: "0755"}
config_dir:
  description:
    - The same of the lab's private directory and of each file in it. No content, and of the token and of O(secret_config) no hash, but
      whether they are as wanted (C(matches)). C(links) are symbolic links in it or on the way to it, which are not followed.
    - C(names) is all that is in it, C(strangers) what of it no lab needs, and C(ours) whether it was made for one. C(home_taken) is whether the
      directory of that path with C(-home) behind it is another lab's.
    - C(token) also has C(newline), whether it would be as wanted without the newline at its end, and C(jupyter_server_config.json) C(hash), whether
      that of a password is in it.
    - C(server.pem) also has C(certificate), the PEM text of the certificate alone, and C(pair), whether the key in it is that of the certificate.
  returned: always
  type: dict
untrusted:
  description:
    - Why nothing in the lab's private directory is used, in one sentence. Its files, or a directory on the way to them, belong to somebody other than
      the lab's user or root, or others may write there, so that they could have put in a token that they know. Empty if all is well.
    - Without O(config_dir) it is about the directory that the container has. Such a lab is not RV(ready).
  returned: always
  type: str
  version_added: 0.2.0
labs:
  description:
    - What the other labs of the engine have, those that are stopped as well. Their C(name), C(state), C(uid) and C(owner), C(volume), other C(volumes)
      that they may write to, C(work_dir), C(private) directories, C(port) and C(address).
    - Empty if this lab has a container with all that O(volume), O(work_dir), O(config_dir) and O(port) name, since nothing else can have these then.
  returned: always
  type: list
  elements: dict
  version_added: 0.2.0
machine:
  description: The same text for all that are on this machine until it is started again.
  returned: always
  type: str
  version_added: 0.2.0
ca_bundle:
  description: The host's CA bundle, and the SHA-256 of it together with O(ca_certificates).
  returned: always
  type: dict
address_here:
  description: Whether O(bind_address) is an address of the host.
  returned: always
  type: bool
hostname:
  description: Name of the host, as it knows itself.
  returned: always
  type: str
  sample: gpu1
  version_added: 0.2.0
port_holder:
  description: Who else listens on O(port), in words. Empty if nobody does.
  returned: always
  type: str
  sample: process nginx (pid 4711)
sources:
  description:
    - The lab's own rules for nftables, as O(allowed_sources) wants them (C(rules), empty if everybody may connect), where they are (C(path), C(table)),
      what loads them at boot (C(boot)), which files of them there are (C(left)), and whether all is C(as_wanted).
  returned: always
  type: dict
  sample: {table: mlenv-sources-jupyter-ds, path: /etc/mlenv/sources/jupyter-ds.nft, rules: "", left: [], nft: true, loaded: false, as_wanted: true}
  version_added: 0.2.0
python:
  description: Version of Python in the lab. Empty if it could not be asked.
  returned: always
  type: str
  sample: 3.11.2
packages:
  description:
    - What is installed in the lab, and which of the wanted packages are not. The same for each of O(kernels).
    - Where packages are wanted, and the container does not run, or is not as the lab will be (O(image), O(volume), O(home), O(env)), the image is
      asked instead, with what the lab will see.
  returned: always
  type: dict
  sample: {satisfied: false, missing: [seaborn], user_packages: {}, kernels: {legacy: {satisfied: true, missing: [], user_packages: {pandas: 1.5.3}}}}
indexes:
  description:
    - Indexes that would not serve a lab that is yet to come and lacks packages. For each its name, what is wrong (C(certificate), C(login), C(proxy) or
      C(unreachable)), and the reason.
  returned: always
  type: list
  elements: list
  sample: [[packages.example.com, certificate, unable to get local issuer certificate]]
  version_added: 0.2.0
protected:
  description: Why packages that a lab is yet to get are forbidden by O(protect_image). Empty if they are not.
  returned: always
  type: str
  sample: ""
  version_added: 0.2.0
packages_of:
  description: Where RV(packages) were looked at, in the C(container) or in the C(image). Empty if nowhere.
  returned: always
  type: str
  sample: container
  version_added: 0.2.0
status:
  description: HTTP status of C(api/status), asked from the host with the lab's token. V(0) is no answer.
  returned: always
  type: int
open:
  description: Whether C(api/status) answers without a token, so that whoever reaches the lab has a shell.
  returned: always
  type: bool
  version_added: 0.2.0
ready:
  description: Whether a person can work in the lab, and nobody else. C(api/status) answered 200 twice, with no restart in between, and refused who has no
    token; and the lab sees the GPUs that it was given.
  returned: always
  type: bool
restarted:
  description: How often the container began anew by itself while it was looked at.
  returned: always
  type: int
  version_added: 0.2.0
hung:
  description: Whether the server does not answer at all, well after its start and asked patiently. Not told with O(wait).
  returned: always
  type: bool
  version_added: 0.2.0
clock:
  description: The host's time at the end of the look, in seconds since 1970.
  returned: when the host could be looked at
  type: float
  version_added: 0.2.0
clock_skew:
  description: By how many seconds the host's clock is ahead of the controller's, negative if it is behind. A warning tells of more than a minute.
  returned: when the host could be looked at
  type: float
  version_added: 0.2.0
url:
  description: Address of the page, without the token.
  returned: always
  type: str
  sample: http://127.0.0.1:28888/lab
"""

from ansible_collections.mlenv.jupyter.plugins.module_utils._look import ARGUMENTS, credentials, look_at
from ansible_collections.mlenv.jupyter.plugins.module_utils._module import Module


def main():
    module = Module(credentials, argument_spec=ARGUMENTS, supports_check_mode=True)
    module.finish(look_at(module.params, module.run_command))


if __name__ == "__main__":
    main()
