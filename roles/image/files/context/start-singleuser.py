#!/usr/bin/env python
"""The command that JupyterHub gives to a container: its own kind of server."""

import os
import shlex
import sys

command = ["jupyterhub-singleuser", *shlex.split(os.environ.get("NOTEBOOK_ARGS", "")), *sys.argv[1:]]
os.execvp(command[0], command)
