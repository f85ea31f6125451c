"""Who trusts the CA is content, work is possible, nothing is said in clear, and certificates change under a running lab."""

import datetime
import http.client
import json
import pathlib
import re
import socket
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from helpers import HOST, STATE, Lab, converge, play, wait_until

LAB, SELF, FILES = Lab("molecule-tls"), Lab("molecule-tls-self"), Lab("molecule-tls-files")
CA = STATE / "ca/ca.crt"
ROOT = STATE / "files/root.pem"
YEAR = datetime.timedelta(days=365)
PORTS = {LAB.name: 28817, SELF.name: 28818, FILES.name: 28819}
ADDRESS = LAB.inspect["HostConfig"]["PortBindings"]["8888/tcp"][0]["HostIp"]
# Compute in a kernel as the page would, over a websocket, from a client that trusts nothing but this one certificate.
KERNEL = """
import json, ssl, sys, uuid
from tornado import httpclient, ioloop, websocket

async def main(base, token, trusted):
    context = ssl.create_default_context(cadata=trusted)
    asked = dict(ssl_options=context, headers={"Authorization": "token " + token})
    client = httpclient.AsyncHTTPClient()
    answer = await client.fetch(base + "api/kernels", method="POST", body="{}", **asked)
    url = base.replace("https", "wss") + "api/kernels/" + json.loads(answer.body)["id"] + "/channels"
    link = await websocket.websocket_connect(httpclient.HTTPRequest(url, **asked))
    header = dict(msg_id=uuid.uuid4().hex, msg_type="execute_request", username="", session=uuid.uuid4().hex, version="5.3")
    content = dict(code="print(6*7)", silent=False)
    await link.write_message(json.dumps(dict(header=header, parent_header={}, metadata={}, content=content, channel="shell")))
    while True:
        said = json.loads(await link.read_message())
        if said["msg_type"] == "stream":
            return print(said["content"]["text"].strip())

ioloop.IOLoop.current().run_sync(lambda: main(*sys.argv[1:]), timeout=60)
"""


def certificate(lab: Lab, trusted: pathlib.Path | None = None, name: str = "") -> dict:
    """What the server shows to somebody who trusts that certificate alone, and came by that name. Raises ssl.SSLError."""
    context = ssl.create_default_context(cafile=trusted)
    address = ADDRESS if lab is LAB else "127.0.0.1"
    with socket.create_connection((address, PORTS[lab.name]), timeout=10) as link, context.wrap_socket(link, server_hostname=name or address) as secure:
        return secure.getpeercert()


@pytest.mark.parametrize(("lab", "trusted", "name"), [(LAB, CA, ""), (LAB, CA, "localhost"), (FILES, ROOT, "alice.example.com"), (FILES, ROOT, "localhost")])
def test_a_browser_that_trusts_its_issuer_is_content(lab, trusted, name):
    assert certificate(lab, trusted, name)
    assert lab.opens()
    assert lab.ask(token="wrong")[0] == lab.ask(token="")[0] == 403


@pytest.mark.parametrize(("lab", "trusted", "name"), [(LAB, None, ""), (SELF, CA, ""), (FILES, ROOT, "bob.other.example.com"), (LAB, CA, "alice.example.com")])
def test_another_browser_is_warned(lab, trusted, name):
    with pytest.raises(ssl.SSLCertVerificationError):
        certificate(lab, trusted, name)


def test_self_signed():
    (own,) = re.findall("-----BEGIN CERT.*", pathlib.Path(SELF.mounts["/etc/mlenv"], "server.pem").read_text(encoding="ascii"), re.DOTALL)
    trusted = STATE / "files/self.pem"
    trusted.write_text(own, encoding="ascii")
    assert certificate(SELF, trusted)
    assert SELF.opens()


@pytest.mark.parametrize("lab", [LAB, SELF, FILES])
def test_plain_http_is_refused(lab):
    with pytest.raises(OSError):
        with socket.create_connection((ADDRESS if lab is LAB else "127.0.0.1", PORTS[lab.name]), timeout=10) as link:
            link.sendall(b"GET /api HTTP/1.1\r\nHost: lab\r\n\r\n")
            if not link.recv(1):
                raise ConnectionResetError


@pytest.mark.parametrize(("version", "spoken"), [("tls1", False), ("tls1_1", False), ("tls1_2", True), ("tls1_3", True)])
def test_protocols(version, spoken):
    options = ["openssl", "s_client", f"-{version}", "-cipher", "ALL:@SECLEVEL=0", "-connect", f"{ADDRESS}:28817", "-CAfile", str(CA)]
    done = subprocess.run(options, input="", capture_output=True, text=True, check=False)
    assert ("Cipher is (NONE)" not in done.stdout) == spoken, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("cipher", "spoken"), [("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-CHACHA20-POLY1305", True), ("ECDHE-ECDSA-AES128-SHA256", False)]
)
def test_ciphers(cipher, spoken):
    options = ["openssl", "s_client", "-tls1_2", "-cipher", cipher, "-connect", f"{ADDRESS}:28817", "-CAfile", str(CA)]
    done = subprocess.run(options, input="", capture_output=True, text=True, check=False)
    assert (f"Cipher is {cipher}" in done.stdout) == spoken, done.stdout + done.stderr


def test_kernels_work():
    done = LAB.run("python3", "-c", KERNEL, f"https://{ADDRESS}:28817/", LAB.token, CA.read_text(encoding="ascii"))
    assert done.stdout == "42\n", done.stderr


def test_the_health_check_speaks_it():
    assert wait_until(lambda: LAB.health == "healthy")


def test_keys_are_private():
    for lab in (LAB, SELF, FILES):
        status = pathlib.Path(lab.mounts["/etc/mlenv"], "server.pem").stat()
        assert (oct(status.st_mode & 0o777), status.st_uid) == ("0o400", 1000)
    assert oct((STATE / "ca/ca.key").stat().st_mode & 0o777) == "0o600"
    assert "ENCRYPTED" in (STATE / "ca/ca.key").read_text(encoding="ascii")


def test_check_mode_where_there_is_no_authority_yet():
    run = converge("--limit", LAB.name, "--check", lab_tls_dir=str(STATE / "nowhere"))
    assert run.changed == ["Make the CA's directory", "Give the lab its key and certificate"]
    assert not (STATE / "nowhere").exists()


def test_renewal():
    serial = certificate(LAB, CA)["serialNumber"]
    run = converge("--limit", LAB.name, lab_tls_renew_days=366, lab_tls_days=730)
    assert run.changed == ["Give the lab its key and certificate"]
    assert certificate(LAB, CA)["serialNumber"] != serial


def test_another_name_needs_no_restart():
    before, authority = LAB.inspect["State"]["StartedAt"], CA.read_bytes()
    options = {"lab_tls_names": ["gpu1.example.com"]}
    assert converge("--limit", LAB.name, "--check", **options).changed == ["Give the lab its key and certificate"]
    assert certificate(LAB, CA)
    assert converge("--limit", LAB.name, **options).changed == ["Give the lab its key and certificate"]
    assert certificate(LAB, CA, "gpu1.example.com")
    assert converge("--limit", LAB.name, **options).changed == []
    assert (LAB.inspect["State"]["StartedAt"], CA.read_bytes()) == (before, authority)
    assert LAB.opens()


def test_certificate_deleted():
    pathlib.Path(SELF.mounts["/etc/mlenv"], "server.pem").unlink()
    assert converge("--limit", SELF.name).changed == ["Give the lab its key and certificate"]
    assert SELF.opens()
    assert converge("--limit", SELF.name).changed == []


def test_certificate_of_a_controller_that_was_ahead():
    """Made three years in the future: nobody is content with it now, so the next run makes another one."""
    pem = pathlib.Path(SELF.mounts["/etc/mlenv"], "server.pem")
    key = load_pem_private_key(pem.read_bytes(), None)
    made = x509.load_pem_x509_certificate(pem.read_bytes())
    ahead = x509.CertificateBuilder(made.issuer, made.subject, key.public_key(), made.serial_number, extensions=list(made.extensions))
    ahead = ahead.not_valid_before(made.not_valid_before_utc + 3 * YEAR).not_valid_after(made.not_valid_after_utc + 3 * YEAR).sign(key, hashes.SHA256())
    pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + ahead.public_bytes(Encoding.PEM))
    assert converge("--limit", SELF.name).changed == ["Give the lab its key and certificate"]
    assert converge("--limit", SELF.name).changed == []


def test_back_to_plain():
    assert "Make its directories and files" in converge("--limit", FILES.name, lab_tls="none").changed
    assert FILES.url.startswith("http://")
    assert FILES.opens()
    assert converge("--limit", FILES.name, lab_tls="none").changed == []


def login(lab: Lab, field: str, value: str):
    """Somebody's browser: a session that has said the password or the token at the door."""
    context = ssl._create_unverified_context()
    session = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), urllib.request.HTTPCookieProcessor())
    door = lab.url + "login"
    page = session.open(door, timeout=10).read().decode()
    form = {"_xsrf": re.search(r'name="_xsrf" value="([^"]*)"', page).group(1), field: value}
    session.open(door, urllib.parse.urlencode(form).encode(), timeout=10)
    return session


def lets_in(lab: Lab, session) -> bool:
    try:
        return session.open(lab.url + "api/status", timeout=10).status == 200
    except urllib.error.HTTPError as refusal:
        assert refusal.code == 403
        return False


def test_rotation_logs_everybody_out():
    token, session = SELF.token, login(SELF, "password", SELF.token)
    assert lets_in(SELF, session)
    assert "Make its directories and files" in converge("--limit", SELF.name, lab_token_rotate=True).changed
    assert SELF.token != token
    assert SELF.opens()
    assert SELF.ask(token=token)[0] == 403
    assert not lets_in(SELF, session)
    assert converge("--limit", SELF.name).changed == []


def test_a_page_from_elsewhere():
    """Opened in the browser of somebody who is logged in, it can neither read, nor start something, nor talk to a kernel, nor show the lab as its own."""
    session = login(SELF, "password", SELF.token)
    foreign = {"Origin": "https://elsewhere.example.com", "Referer": "https://elsewhere.example.com/"}
    page = session.open(urllib.request.Request(SELF.url + "lab", headers=foreign), timeout=10)
    assert page.headers["Access-Control-Allow-Origin"] is None
    assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"]
    for path, data in [("api/status", None), ("api/terminals", b"{}")]:
        with pytest.raises(urllib.error.HTTPError, match="40[34]"):
            session.open(urllib.request.Request(SELF.url + path, data, foreign), timeout=10)
    _status, kernel = SELF.ask("api/kernels", data={})
    assert talks(session, kernel["id"], SELF.url.rstrip("/")) == 101
    assert talks(session, kernel["id"], foreign["Origin"]) == 403


def talks(session, kernel: str, origin: str) -> int:
    """What a page of that origin is answered if it wants a websocket to a kernel, in the browser of that session."""
    (jar,) = [handler.cookiejar for handler in session.handlers if isinstance(handler, urllib.request.HTTPCookieProcessor)]
    headers = {
        **{"Origin": origin, "Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)},
        **{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "A" * 22 + "=="},
    }
    link = http.client.HTTPSConnection("127.0.0.1", PORTS[SELF.name], timeout=10, context=ssl._create_unverified_context())
    link.request("GET", f"/api/kernels/{kernel}/channels", headers=headers)
    status = link.sock.recv(12)
    link.close()
    return int(status[9:12])


def test_password():
    """Our own, and none else; its hash is in a file for the server alone, and nowhere in what is said of it."""
    made = SELF.run("python3", "-c", "from jupyter_server.auth import passwd; print(passwd('correct horse'))").stdout.strip()
    (STATE / "files/hash").write_text(made, encoding="ascii")
    options = {"lab_password_hash": f"{{{{ lookup('ansible.builtin.file', '{STATE}/files/hash') }}}}"}  # what comes with -e, -vvvv shows
    run = converge("--limit", SELF.name, "--diff", "-vvvv", **options)
    said = run.out + json.dumps(SELF.inspect) + HOST.check_output("docker logs %s 2>&1", SELF.name)
    assert made[-20:] not in said
    assert lets_in(SELF, login(SELF, "password", "correct horse"))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        login(SELF, "password", "wrong horse")
    assert SELF.opens()
    assert converge("--limit", SELF.name, **options).changed == []


def test_token_is_shown_to_who_asks():
    assert f"{SELF.url}lab?token={SELF.token}" in play("mlenv.jupyter.token", "--limit", SELF.name).out


def test_insecure():
    """Asked for, it is had, with a warning each time."""
    options = {"lab_tls": "none", "lab_insecure": True}
    for _number in range(2):
        assert "answers the network" in converge("--limit", LAB.name, **options).out
    assert LAB.opens()
