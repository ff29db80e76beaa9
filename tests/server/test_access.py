"""What is refused, with which code, and that nobody else is the worse for it. Contract 5 to 8."""
import base64
import json
import os
import random
import socket
import time
import unittest
import zlib

from rig import LONG, Server, ServerTest, recipe, until

HOST = "Host: localhost\r\n"
JSON = "Content-Type: application/json\r\n"


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else None


class Hostile(ServerTest):
    """Contract 7."""

    def refuse(self, status, code, method="GET", path="/healthz", body=None, **headers):
        answer = self.server.ask(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        self.assertEqual((answer.status, answer.code), (status, code), (path, headers))
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        self.assertIn("x-request-id", answer.headers)

    def test_hosts_and_origins(self):
        own = f"http://127.0.0.1:{self.server.port}"
        for host in ("evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "",
                     "[::1", "10.0.0.1", "localhost:x"):
            self.refuse(403, "bad_host", Host=host)
        for host in ("localhost", "LOCALHOST:80", "127.0.0.1", f"127.0.0.1:{self.server.port}"):
            self.assertEqual(self.server.get("/healthz", headers={"Host": host}).status, 200, host)
        for origin in ("null", "http://evil.example", "https://127.0.0.1:1", f"file://127.0.0.1:{self.server.port}"):
            for method, path in (("GET", "/api/v1/info"), ("POST", "/api/v1/slots"), ("DELETE", "/api/v1/slots/x")):
                self.refuse(403, "cross_origin", method, path, Origin=origin)
        for site in ("cross-site", "same-site"):
            self.refuse(403, "cross_origin", "GET", "/api/v1/info", Sec_Fetch_Site=site)
        for headers in ({"Origin": own}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
            answer = self.server.get("/api/v1/info", headers=headers)
            self.assertEqual(answer.status, 200, headers)
            self.assertNotIn("Access-Control-Allow-Origin", answer.headers)
        # A rebound name sends an Origin that is equal to its Host.
        self.refuse(403, "bad_host", Host="evil.example:8420", Origin="http://evil.example:8420")
        # A form of another page, which asks nobody before it is sent.
        body = '--b\r\nContent-Disposition: form-data; name="recipe"\r\n\r\n{}\r\n--b--\r\n'
        self.refuse(403, "cross_origin", "POST", "/api/v1/slots", body, Origin="http://127.0.0.1:9",
                    Content_Type="multipart/form-data; boundary=b")

    def test_paths(self):
        for path in ("/api//v1", "/../etc/passwd", "/%2e%2e/etc/passwd", "/api/v1/slots/%2e%2e", "/healthz%00",
                     "/api/v1/slots/a%2fb", "/api/v1/slots/a%5cb", "/healthz/", "/%zz", "/a" * 1500):
            answer = self.server.raw(f"GET {path} HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n".encode())
            self.assertEqual(status_of(answer), 400, path)
            self.assertIn(b"bad_path", answer)
        for path in ("/api", "/etc/passwd", "/api/v1/slots/x/y/z", "/HEALTHZ", "/a/b/c/d/e/f"):
            self.refuse(404, "not_found", path=path)
        identity = self.server.slot(seed=60)
        self.server.wait_for(identity)
        for name in ("record.json", "input", "film.mp4.tmp", "..film.mp4", "lock"):
            self.refuse(404, "not_found", path=f"/api/v1/slots/{identity}/{name}")
        self.refuse(404, "job_not_found", path="/api/v1/slots/slot_00000000000000000000000000")
        self.refuse(405, "method_not_allowed", "PUT", "/api/v1/slots")
        self.assertEqual(self.server.ask("PATCH", "/api/v1/slots").headers["Allow"], "POST, GET, HEAD")

    def test_framing(self):
        smuggled = b"GET /api/v1/info HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for lengths in ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 2\r\nContent-Length: 3\r\n",
                        "Content-Length: 2\r\nContent-Length: 2\r\n", "Content-Length: +2\r\n", "Content-Length: 2, 2\r\n",
                        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n",
                        "Transfer-Encoding: xchunked\r\n", f"{HOST}", "Content-Length: -5\r\n"):
            answer = self.server.raw(
                f"POST /api/v1/slots HTTP/1.1\r\n{HOST}{JSON}{lengths}\r\n0\r\n\r\n".encode() + smuggled)
            self.assertEqual(status_of(answer), 400, lengths)
            self.assertNotIn(b"uptime_s", answer, lengths)
        chunked = self.server.raw(f"POST /api/v1/slots HTTP/1.1\r\n{HOST}{JSON}Connection: close\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n2;ext=1\r\n{}\r\n0\r\n\r\n".encode())
        self.assertIn(b"bad_json", chunked)

    def test_types(self):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""):
            self.refuse(415, "unsupported_media_type", "POST", "/api/v1/slots", "{}", Content_Type=kind)
        self.refuse(415, "unsupported_media_type", "POST", "/api/v1/speech", "x",
                    Content_Type="multipart/form-data; boundary=x")

    def test_bad_recipes(self):
        """None makes a job; each names what is wrong."""
        good = recipe()
        visual = {"image": "/etc/passwd"}, {"image": "../../x.png"}, {"image": "file:///etc/passwd"}, \
            {"image": "http://localhost/a.png"}, {"image": "upload:" + "0" * 64}, {"image": "slot:x"}, {"image": 3}, \
            {"image": "-"}, {"image": "/dev/stdin"}, {"image": "concat:a|b"}, {"image": ""}, {}, {"prompt": ""}, \
            {"prompt": "a", "face": [1, 2]}, {"prompt": "a", "background": "red"}, "x", [1], \
            {"prompt": "a", "moods": [{"at_s": -1, "mood": "x"}]}
        audio = {}, {"script": ""}, {"script": 3}, {"script": "a", "speed": 9}, {"script": "a", "mood": "hungry"}, \
            {"script": "a", "loudness": 3}, {"script": "a", "fit": "grow"}, {"script": "a" * 5000}, "a", {"text": "a"}
        output = {"width": 63}, {"width": 4096}, {"fps": 0}, {"max_seconds": 99}, {"container": "avi"}, \
            {"path": "/tmp/x"}, {"subtitles": "yes"}
        bad = [{**good, "visual_track": v} for v in visual] + [{**good, "audio_track": a} for a in audio] + \
            [{**good, "output": o} for o in output] + [None, [], "x", 3, {**good, "seed": -1}, {**good, "extra": 1},
                                                      {**good, "deadline_ms": "soon"}]
        self.assertGreaterEqual(len(bad), 38)
        before = self.server.get("/api/v1/slots?limit=1").json["first_id"]
        for one in bad:
            answer = self.server.post("/api/v1/slots", {"recipe": one})
            self.assertEqual(answer.status, 400, one)
            self.assertEqual(answer.json["error"]["type"], "invalid_request_error")
            self.assertNotIn(self.server.folder, answer.body.decode())
        self.assertEqual(self.server.get("/api/v1/slots?limit=1").json["first_id"], before)
        for body in ("", "{", "[]", "{}", '{"recipe":{},"recipe":{}}', "\xff", "[" * 100000, '{"recipe":1e999}'):
            answer = self.server.post("/api/v1/slots", body.encode("latin-1"), headers={"Content-Type": "application/json"})
            self.assertEqual(answer.status, 400, body[:40])

    def test_bombs(self):
        """Pictures that say they are huge are refused, and the next film is right."""
        def png(width, height):
            def chunk(kind, data):
                return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
            head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
            return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100000)) +
                    chunk(b"IEND", b""))
        text = json.dumps({**recipe(), "visual_track": {"image": "upload"}})
        for picture in (png(60000, 60000), png(1, 1)[:40], b"\x89PNG\r\n\x1a\n", b"GIF89a", b"x" * 1000, b"RIFF0000WEBP"):
            answer = self.server.post_parts("/api/v1/slots?wait=1", [("recipe", text), ("image", picture)])
            self.assertGreaterEqual(answer.status, 400)
            self.assertLess(answer.status, 500, answer.body)
        url = "data:image/png;base64," + base64.b64encode(png(60000, 60000)).decode()
        answer = self.server.post("/api/v1/score", {"image": url, "prompts": ["a"]})
        self.assertEqual(answer.status, 400, answer.body)
        self.assertEqual(self.server.post("/api/v1/slots?wait=1", {"recipe": recipe()}).status, 200)

    def test_any_bytes(self):
        """Requests that are cut, doubled and turned over end in an answer or a closed connection."""
        chance = random.Random(7)
        seeds = [f"POST /api/v1/slots?wait=1 HTTP/1.1\r\n{HOST}{JSON}Content-Length: 13\r\n\r\n".encode() + b'{"recipe":{}}',
                 f"GET /api/v1/slots?limit=3 HTTP/1.1\r\n{HOST}Range: bytes=0-5\r\nIf-Range: x\r\n\r\n".encode(),
                 f"POST /api/v1/slots HTTP/1.1\r\n{HOST}Content-Type: multipart/form-data; boundary=b\r\n"
                 "Content-Length: 61\r\n\r\n--b\r\nContent-Disposition: form-data; name=recipe\r\n\r\n{}\r\n--b--\r\n".encode()]
        for i in range(150):
            data = bytearray(chance.choice(seeds))
            for _ in range(chance.randrange(1, 8)):
                at = chance.randrange(len(data))
                data[at:at + chance.randrange(3)] = bytes(chance.randrange(256) for _ in range(chance.randrange(3)))
                if not data:
                    data = bytearray(b"x")
            with self.server.connect() as s:
                s.sendall(bytes(data))
                s.shutdown(socket.SHUT_WR)
                s.settimeout(60)
                try:
                    while s.recv(65536):
                        pass
                except ConnectionResetError:
                    pass
        self.assertEqual(self.server.get("/healthz").status, 200)


class Limits(ServerTest):
    """Contract 5, 6."""
    settings = ("serve: {body_bytes: 4000, upload_bytes: 20000, header_bytes: 2000, header_ms: 700, body_ms: 900,\n"
                "  per_client: 24, jobs_per_client: 3, jobs_per_minute: 1000, script_chars: 200, cors: ['https://a.example']}\n")

    def test_bodies_and_headers(self):
        at = json.dumps({"recipe": recipe(script="a")})
        fits = at[:-1] + " " * (4000 - len(at)) + "}"
        self.assertEqual(self.server.post("/api/v1/recipes/check", fits, headers={"Content-Type": "application/json"}).status, 200)
        over = self.server.post("/api/v1/recipes/check", fits + " ", headers={"Content-Type": "application/json"})
        self.assertEqual((over.status, over.code), (413, "body_too_large"))
        chunked = self.server.raw(f"POST /api/v1/slots HTTP/1.1\r\n{HOST}{JSON}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                                  .encode() + b"fa1\r\n" + b" " * 0xfa1 + b"\r\n0\r\n\r\n")
        self.assertEqual(status_of(chunked), 413)
        expect = self.server.raw(f"POST /api/v1/slots HTTP/1.1\r\n{HOST}{JSON}Content-Length: 5000\r\n"
                                 "Expect: 100-continue\r\n\r\n".encode())
        self.assertEqual(status_of(expect), 413)
        picture = self.server.post_parts("/api/v1/score", [("image", b"x" * 20001), ("prompts", "a")])
        self.assertEqual((picture.status, picture.code), (413, "body_too_large"))
        self.assertEqual(self.server.get("/healthz", headers={"X-Pad": "a" * 1500}).status, 200)
        head = self.server.get("/healthz", headers={"X-Pad": "a" * 2000})
        self.assertEqual((head.status, head.code), (431, "header_too_large"))
        self.assertEqual(status_of(self.server.raw(f"GET / HTTP/1.1\r\n{HOST}X: {'a' * 60000}\r\n\r\n".encode())), 431)
        long = self.server.post("/api/v1/slots", {"recipe": recipe(script="a" * 201)})
        self.assertEqual((long.code, long.json["error"]["param"]), ("too_long", "script"))

    def test_too_many_jobs(self):
        ids = [self.server.slot(seed=70 + i, script=LONG[:150]) for i in range(3)]
        fourth = self.server.post("/api/v1/slots", {"recipe": recipe()})
        self.assertEqual((fourth.status, fourth.code), (429, "too_many_jobs"))
        self.assertTrue(1 <= int(fourth.headers["Retry-After"]) <= 120)
        self.assertGreater(int(fourth.headers["retry-after-ms"]), 0)
        for identity in ids:
            self.server.post(f"/api/v1/slots/{identity}/cancel")
        for identity in ids:
            self.server.wait_for(identity)
        self.server.wait_for(self.server.slot(seed=74))

    def closes(self, pieces):
        """Whether the server ends a connection to which the pieces trickle for ever."""
        with self.server.connect() as s:
            s.settimeout(0.1)
            for piece in pieces:
                try:
                    s.sendall(piece)
                    if s.recv(65536) == b"":
                        return True
                except (TimeoutError, socket.timeout):
                    continue
                except OSError:
                    return True
        return False

    def test_slow_clients(self):
        def trickle(head):
            yield head
            for _ in range(1200):
                yield b"a"
        self.assertTrue(self.closes(trickle(b"GET /healthz HTTP/1.1\r\nX: ")))
        self.assertTrue(self.closes(trickle(b"GET /")))
        self.assertTrue(self.closes(trickle(b"")))
        self.assertTrue(self.closes(trickle(
            f"POST /api/v1/slots HTTP/1.1\r\n{HOST}{JSON}Content-Length: 3000\r\n\r\n".encode())))
        # One whose request sleeps is none: its body is whole.
        self.assertEqual(self.server.post("/api/v1/slots?wait=1", {"recipe": recipe(script=LONG[:150])}).status, 200)

    def test_too_many_connections(self):
        idle = [self.server.connect() for _ in range(40)]
        try:
            # From another address of this machine there is room.
            def other():
                s = socket.create_connection(("127.0.0.1", self.server.port), timeout=60, source_address=("127.0.0.2", 0))
                with s:
                    s.sendall(f"GET /healthz HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n".encode())
                    return s.recv(100)
            self.assertEqual(status_of(other()), 200)
        finally:
            for s in idle:
                s.close()
        def served():
            try:
                return self.server.get("/healthz").status == 200
            except OSError:
                return False
        until(served)

    def test_cors(self):
        asked = self.server.ask("OPTIONS", "/api/v1/slots", headers={"Origin": "https://a.example"})
        self.assertEqual((asked.status, asked.headers["Access-Control-Allow-Origin"]), (204, "https://a.example"))
        self.assertEqual(self.server.ask("OPTIONS", "/api/v1/slots", headers={"Origin": "https://b.example"}).status, 403)
        got = self.server.get("/api/v1/slots", headers={"Origin": "https://a.example", "Sec-Fetch-Site": "cross-site"})
        self.assertEqual((got.status, got.headers["Access-Control-Allow-Origin"]), (200, "https://a.example"))
        self.assertEqual(got.headers["Vary"], "Origin")
        self.assertNotIn("Access-Control-Allow-Credentials", got.headers)


class Keys(unittest.TestCase):
    """Contract 8."""

    def write(self, text, mode=0o600):
        with open(self.path, "w") as f:
            f.write(text)
        os.chmod(self.path, mode)

    def test_keys(self):
        import signal
        import tempfile
        with tempfile.TemporaryDirectory() as folder:
            self.path = os.path.join(folder, "keys")
            self.write("ann:first key of ann\nbob:key of bob\n")
            server = Server(flags=["--api-key-file", self.path, "--metrics-open"])
            for path in ("/api/v1/info", "/api/v1/slots", "/api/v1/slots/x/film.mp4?ticket=1.2"):
                for key in (None, "wrong key", "first key of an", ""):
                    answer = server.get(path, key=key)
                    self.assertEqual((answer.status, answer.code), (401, "invalid_api_key"), path)
                    self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
            for path in ("/healthz", "/readyz", "/metrics"):
                self.assertEqual(server.get(path).status, 200, path)
            self.assertEqual(server.get("/api/v1/info", headers={"X-Api-Key": "key of bob"}).status, 200)
            both = server.get("/api/v1/info", headers={"X-Api-Key": "key of bob"}, key="key of bob")
            self.assertEqual(both.status, 400)
            identity = server.post("/api/v1/slots", {"recipe": recipe()}, key="first key of ann").json["id"]
            job = server.wait_for(identity, key="first key of ann")
            other = server.post("/api/v1/slots?wait=1", {"recipe": recipe(seed=4)}, key="first key of ann")
            # Nobody sees, stops or removes another's job, and keys of idempotency are each one's own.
            for method, path in (("GET", ""), ("GET", "/film.mp4"), ("GET", "/events"), ("POST", "/cancel"), ("DELETE", "")):
                answer = server.ask(method, f"/api/v1/slots/{identity}{path}", key="key of bob")
                self.assertEqual((answer.status, answer.code), (404, "job_not_found"), (method, path))
            self.assertEqual(server.get("/api/v1/slots", key="key of bob").json["data"], [])
            stolen = server.post("/api/v1/slots", {"recipe": {**recipe(), "visual_track": {"image": "slot:" + identity}}},
                                 key="key of bob")
            self.assertEqual(stolen.code, "bad_image")
            # Tickets are of one job and of its files.
            ticket = server.post("/api/v1/tickets", {"id": identity}, key="first key of ann").json["ticket"]
            self.assertEqual(server.post("/api/v1/tickets", {"id": identity}, key="key of bob").code, "job_not_found")
            film = server.get(job["links"]["film"] + "?ticket=" + ticket)
            self.assertEqual((film.status, film.body[4:8]), (200, b"ftyp"))
            self.assertEqual(server.get(f"/api/v1/slots/{other.headers['vortex-slot']}/film.mp4?ticket={ticket}").status, 401)
            self.assertEqual(server.get(f"/api/v1/slots/{identity}?ticket={ticket}").status, 401)
            late = ticket.replace(ticket[:5], "10000", 1)
            self.assertEqual(server.get(job["links"]["film"] + "?ticket=" + late).status, 401)
            # Keys are read again; a file that others may read, or that is none, changes nothing.
            self.write("ann:second key of ann\n")
            server.send(signal.SIGHUP)
            until(lambda: server.get("/api/v1/info", key="first key of ann").status == 401)
            self.assertEqual(server.get("/api/v1/info", key="second key of ann").status, 200)
            self.write("eve:key of eve who came\n", 0o644)
            server.send(signal.SIGHUP)
            until(lambda: "others may read" in server.text())
            self.assertEqual(server.get("/api/v1/info", key="key of eve who came").status, 401)
            self.assertEqual(server.get("/api/v1/info", key="second key of ann").status, 200)
            text = server.text()
            self.assertNotIn("key of", text.replace("the key file", ""))
            self.assertEqual(server.close(), 0)

    def test_public_without_keys(self):
        server = Server(flags=["--listen", "0.0.0.0:0"], wait=False, listen=False)
        self.assertEqual(server.process.wait(120), 2)
        self.assertIn("--api-key-file", server.text())
        server.close()
        server = Server("serve: {open: true}\n", ["--listen", "0.0.0.0:0"], listen=False)
        self.assertEqual(server.get("/healthz", headers={"Host": "192.168.7.7"}).status, 200)
        self.assertEqual(server.get("/healthz", headers={"Host": "a.example"}).status, 403)
        server.close()


if __name__ == "__main__":
    unittest.main()
