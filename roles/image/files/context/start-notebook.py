#!/usr/bin/env python
"""The container's command: start the Jupyter server that the environment asks for, with what follows as its options."""

import os
import re
import shlex
import sys

# Started by JupyterHub: its own server takes over.
if "JUPYTERHUB_API_TOKEN" in os.environ:
    command = ["jupyterhub-singleuser"]
else:
    command = ["jupyter", os.environ.get("DOCKER_STACKS_JUPYTER_CMD") or "lab"]

if os.environ.get("RESTARTABLE", "").lower() in ("yes", "true", "1"):
    command.insert(0, "run-one-constantly")

command += shlex.split(os.environ.get("NOTEBOOK_ARGS", ""))
command += sys.argv[1:]

# The log of a container is read by many; a token or a password hash in it would be theirs.
masked = [re.sub(r"((?:token|password)=).+", r"\1***", word, flags=re.IGNORECASE) for word in command]
print("Executing:", shlex.join(masked), file=sys.stderr, flush=True)
os.execvp(command[0], command)
