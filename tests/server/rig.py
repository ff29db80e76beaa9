"""What the server's tests share: a real server on the small random pack, on loopback, in a folder of its own.

    VORTEX=build/release/vortex python3 -m unittest discover -s tests/server -p test_slots.py

Only Python's own library is used. Tests assert the order of events, never times."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
VORTEX = os.environ.get("VORTEX", os.path.join(HERE, "..", "..", "build", "release", "vortex"))
PACK = os.path.join(DATA, "slot", "pack")
PICTURE = os.path.join(DATA, "media", "exif2.jpg")
PATIENCE = 120  # far more than anything takes, so that a busy machine fails no test


def recipe(seed=3, script="Read the lead.", **more):
    return {"seed": seed, "audio_track": {"script": script, "voice_id": "narrator"},
            "visual_track": {"prompt": "a b c"}, **more}


LONG = "Read the lead. " * 9  # some seconds of speech


def until(condition, what="it"):
    """The condition's value as soon as it is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} never came")


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["error"]["code"]


def multipart(parts):
    boundary = "vortexboundary"
    body = b""
    for name, data in parts:
        data = data if isinstance(data, bytes) else data.encode()
        body += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="../../x"\r\n\r\n'
                 .encode() + data + b"\r\n")
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


class Server:
    def __init__(self, settings="", flags=(), env=None, folder=None, wait=True, listen=True, prefix=(), fds=(),
                 preexec=None):
        self.folder = folder or tempfile.mkdtemp(prefix="vortex-server-")
        self.results = os.path.join(self.folder, "results")
        self.settings = os.path.join(self.folder, "vortex.yaml")
        self.write_settings(settings)
        self.log = open(os.path.join(self.folder, "log"), "ab+")
        arguments = [*prefix, VORTEX, "--config", self.settings, "--pack", PACK, "--json", "serve", "--results",
                     self.results, *(("--listen", "127.0.0.1:0") if listen else ()), *flags]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=self.log, pass_fds=fds,
                                        env={**os.environ, **(env or {})}, preexec_fn=preexec)
        self.port = None
        if wait:
            self.wait_ready()

    def write_settings(self, more):
        text = ("kokoro: {frames_max: 200}\nthreads: 2\ntimeouts: {floor_ms: 600000}\nqueue: 8\n"
                "budget: {soft_bytes: 11000000000, hard_bytes: 11500000000}\n")
        if "serve:" not in more:
            more += "serve: {jobs_per_minute: 10000, per_client: 512, jobs_per_client: 8}\n"
        with open(self.settings, "w") as f:
            f.write(text + more)

    def wait_ready(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the server ended with {self.process.wait()}: {self.text()}")
        self.ready = json.loads(line)
        self.port = self.ready.get("port")

    def text(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as f:
            return f.read()

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        return s

    def ask(self, method, path, body=None, headers=None, key=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = dict(headers or {})
        if key is not None:
            headers["Authorization"] = "Bearer " + key
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = Answer(response, response.read())
        connection.close()
        return answer

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.ask("POST", path, body, **more)

    def post_parts(self, path, parts, **more):
        body, kind = multipart(parts)
        headers = {**more.pop("headers", {}), "Content-Type": kind}
        return self.ask("POST", path, body, headers=headers, **more)

    def slot(self, more=None, **recipe_more):
        answer = self.post("/api/v1/slots", {"recipe": recipe(**recipe_more), **(more or {})})
        assert answer.status == 202, answer.body
        return answer.json["id"]

    def job(self, identity, **more):
        return self.get("/api/v1/slots/" + identity, **more).json

    def wait_for(self, identity, *states, **more):
        states = states or ("completed", "failed", "cancelled")
        return until(lambda: (lambda j: j if j.get("status") in states else None)(self.job(identity, **more)),
                     f"{identity} {states}")

    def metric(self, name):
        """The sum over all labels of a metric that has such a name."""
        total = 0
        for line in self.get("/metrics").body.decode().splitlines():
            if re.match(re.escape(name) + r"[{ ]", line) or line.startswith(name + " "):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def raw(self, data, shut=False):
        """Sends bytes and reads until the server closes or the answer stops coming."""
        with self.connect() as s:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
            s.settimeout(2)
            out = b""
            try:
                while chunk := s.recv(65536):
                    out += chunk
            except (TimeoutError, socket.timeout, ConnectionResetError):
                pass
            return out

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self):
        status = self.stop(signal.SIGTERM)
        text = self.text()
        self.process.stdout.close()
        self.log.close()
        shutil.rmtree(self.folder)
        assert "Sanitizer" not in text and "runtime error" not in text, text
        return status


class ServerTest(unittest.TestCase):
    """A class of tests with one server."""
    settings = ""
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.settings, cls.flags)

    @classmethod
    def tearDownClass(cls):
        status = cls.server.close()
        assert status == 0, status
