#!/usr/bin/env bash
# The old name of start-notebook.py.
exec /usr/local/bin/start-notebook.py "$@"
