"""What every server in this image does unless its user says otherwise (command line, ~/.jupyter, JSON beside this file)."""

import os
import re
import subprocess
import sys
from pathlib import Path

from jupyter_core.paths import jupyter_data_dir

c = globals()["get_config"]()  # Jupyter puts it there before it runs this file
c.ServerApp.ip = ""  # every address of the container, IPv6 too; the engine decides who reaches them
c.ServerApp.open_browser = False
c.FileContentsManager.delete_to_trash = False  # nobody could empty it

umask = os.environ.get("NB_UMASK")
if umask:
    # A mere exception would be swallowed, and the server would go on with half of this file.
    if not re.fullmatch(r"[0-7]{1,4}", umask):
        sys.exit(f"NB_UMASK={umask} is no umask: give three octal digits, such as 002.")
    os.umask(int(umask, 8))

if os.environ.get("GEN_CERT", "no").lower() not in ("no", "false", "0", ""):
    pem = Path(jupyter_data_dir(), "notebook.pem")
    pem.parent.mkdir(parents=True, exist_ok=True)
    pem.touch(mode=0o600)
    pem.chmod(0o600)
    subject = ["-subj", "/CN=generated", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    openssl = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365", *subject]
    subprocess.run([*openssl, "-keyout", pem, "-out", f"{pem}.crt"], check=True, stderr=subprocess.DEVNULL)
    certificate = Path(f"{pem}.crt")
    pem.write_text(pem.read_text() + certificate.read_text())
    certificate.unlink()
    c.ServerApp.certfile = str(pem)

# The server takes a token file as it is, and a newline at its end would make every login fail.
if not os.environ.get("JUPYTER_TOKEN") and os.environ.get("JUPYTER_TOKEN_FILE"):
    try:
        token = Path(os.environ["JUPYTER_TOKEN_FILE"]).read_text()
    except OSError:
        token = ""  # the server itself says best what is wrong with the file
    if token != token.rstrip("\r\n"):
        c.IdentityProvider.token = token.rstrip("\r\n")
