"""A server's beginning and end, clients that leave, and what it counts. Contract 4, 10 to 12."""
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from rig import LONG, PATIENCE, Server, ServerTest, recipe, until


class Leaving(ServerTest):
    """Contract 4: a client's leaving ends its own job and no other."""

    def leave(self, after, shut=False, path="/api/v1/slots?wait=1", seed=0):
        """Asks for a film, leaves when a condition is met, and gives the id of its job."""
        before = {j["id"] for j in self.server.get("/api/v1/slots?limit=100").json["data"]}
        s = self.server.connect()
        body = json.dumps({"recipe": recipe(seed=seed, script=LONG)}).encode()
        s.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        new = until(lambda: [j["id"] for j in self.server.get("/api/v1/slots?limit=100").json["data"]
                             if j["id"] not in before], "the job")
        until(lambda: after(self.server.job(new[0])), "the moment to leave")
        if shut:
            s.shutdown(socket.SHUT_WR)
        else:
            s.close()
        return new[0], s

    def test_disconnects(self):
        self.server.wait_for(self.server.slot())  # what is opened once
        chance = random.Random(3)
        settled = self.server.descriptors()
        moments = [lambda j: True, lambda j: j["status"] == "in_progress", lambda j: j["stage"] == "video",
                   lambda j: j["progress"] > 0.5 and j["status"] == "in_progress"]
        cancelled = 0
        for i in range(20):
            other = self.server.slot(seed=200 + i) if i % 5 == 0 else None
            moment = chance.choice(moments)
            done = lambda j: moment(j) or j["ended_at"] is not None
            identity, s = self.leave(done, shut=i % 4 == 1, seed=100 + i,
                                     path="/api/v1/slots?wait=1" + ("&live=1" if i % 3 == 0 else ""))
            job = self.server.wait_for(identity)
            cancelled += job["status"] == "cancelled"
            self.assertIn(job["status"], ("cancelled", "completed"))
            if other is not None:
                self.assertEqual(self.server.wait_for(other)["outcome"], "done")
            s.close()
        self.assertGreater(cancelled, 10)
        self.assertEqual(self.server.post("/api/v1/slots?wait=1", {"recipe": recipe()}).status, 200)
        until(lambda: self.server.descriptors() <= settled, "descriptors as before")
        self.assertEqual([f for f in os.listdir(self.server.results) if f not in ("jobs", "lock")], [])

    def test_leaving_speech_and_streams(self):
        self.server.post("/api/v1/speech", {"script": "Read.", "voice_id": "narrator"})
        settled = self.server.descriptors()
        for path, body in (("/api/v1/speech", {"script": LONG, "voice_id": "narrator"}), ("/api/v1/pictures", {"prompt": "a"})):
            for _ in range(4):
                s = self.server.connect()
                data = json.dumps(body).encode()
                s.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                          f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
                s.close()
        for _ in range(4):
            s = self.server.connect()
            s.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            s.recv(100)
            s.close()
        until(lambda: self.server.metric("vortex_jobs_running") + self.server.metric("vortex_jobs_waiting") == 0)
        until(lambda: self.server.descriptors() <= settled, "descriptors as before")
        self.assertEqual(self.server.get("/healthz").status, 200)

    def test_speech_does_not_wait_for_a_film(self):
        film = self.server.slot(seed=300, script=LONG)
        self.server.wait_for(film, "in_progress", "completed")
        said = self.server.post("/api/v1/speech", {"script": "Read.", "voice_id": "narrator"})
        self.assertEqual(said.status, 200)
        self.server.wait_for(film)


class Counting(ServerTest):
    """Contract 10."""

    def test_metrics(self):
        for _ in range(3):
            self.server.get("/healthz")
        self.server.get("/nothing")
        self.server.wait_for(self.server.slot())
        self.server.post("/api/v1/speech", {"script": "Read.", "voice_id": "narrator"})
        text = self.server.get("/metrics").body.decode()
        self.assertIn('vortex_http_requests_total{route="/healthz",method="GET",code="200"} 3\n', text)
        self.assertIn('vortex_http_requests_total{route="none",method="none",code="404"} 1\n', text)
        self.assertIn('vortex_http_refused_total{reason="not_found"} 1\n', text)
        self.assertIn('vortex_jobs_total{kind="film",outcome="done"} 1\n', text)
        self.assertIn('vortex_jobs_total{kind="speech",outcome="done"} 1\n', text)
        for name in ("vortex_http_request_duration_seconds_bucket", "vortex_job_duration_seconds_bucket",
                     "vortex_stage_duration_seconds_bucket", "vortex_speech_first_byte_seconds_count",
                     "vortex_speech_realtime_ratio_count", "vortex_results_bytes", "process_open_fds",
                     "vortex_memory_planned_bytes", "vortex_film_frames_total", "vortex_build_info"):
            self.assertIn("\n" + name, text)
        self.assertNotIn("Read", text)
        self.assertNotIn(self.server.folder, text)
        families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
        self.assertEqual(len(families), len(set(families)))
        jobs = [line for line in self.server.text().splitlines() if "(film)" in line]
        self.assertEqual(len(jobs), 1, jobs)
        self.assertNotIn("Read", self.server.text())
        if shutil.which("promtool") is None:
            self.skipTest("promtool is not there (Debian: prometheus)")
        checked = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, b""))


class Life(unittest.TestCase):
    """Contract 11, 12."""

    def again(self, server, **more):
        return Server(folder=server.folder, **more)

    def forget(self, server):
        server.process.stdout.close()
        server.log.close()

    def test_drain(self):
        server = Server()
        running = server.slot(seed=1, script=LONG)
        server.wait_for(running, "in_progress")
        waiting = [server.slot(seed=2 + i) for i in range(2)]
        events = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        events.request("GET", f"/api/v1/slots/{running}/events")
        stream = events.getresponse()
        server.send(signal.SIGTERM)
        until(lambda: server.get("/readyz").status == 503)
        self.assertEqual(server.get("/readyz").json["status"], "draining")
        refused = server.post("/api/v1/slots", {"recipe": recipe()})
        self.assertEqual((refused.status, refused.code), (503, "draining"))
        self.assertIn("Retry-After", refused.headers)
        self.assertIn(b"event: result", stream.read())
        events.close()
        self.assertEqual(server.process.wait(PATIENCE), 0)
        self.forget(server)
        server = self.again(server)
        self.assertEqual(server.job(running)["outcome"], "done")
        for identity in waiting:
            self.assertEqual(server.wait_for(identity)["outcome"], "done")
        self.assertEqual(server.close(), 0)

    def test_second_signal(self):
        server = Server()
        running = server.slot(seed=1, script=LONG)
        server.wait_for(running, "in_progress")
        server.send(signal.SIGINT)
        until(lambda: server.get("/readyz").status == 503)
        server.send(signal.SIGTERM)
        self.assertEqual(server.process.wait(PATIENCE), 0)
        self.forget(server)
        server = self.again(server)
        self.assertIn(server.job(running)["outcome"], ("cancelled", "done"))
        temporary = [f for _, _, files in os.walk(server.results) for f in files if f.startswith(".")]
        self.assertEqual(temporary, [])
        server.close()

    def test_kill_9(self):
        server = Server()
        key = {"Idempotency-Key": "k"}
        done = server.post("/api/v1/slots", {"recipe": recipe(seed=9)}, headers=key).json["id"]
        film = server.get(server.wait_for(done)["links"]["film"]).body
        running = server.slot(seed=1, script=LONG)
        server.wait_for(running, "in_progress")
        waiting = server.slot(seed=2)
        server.stop(signal.SIGKILL)
        self.forget(server)
        server = self.again(server)
        job = server.job(running)
        self.assertEqual((job["status"], job["outcome"]), ("failed", "interrupted"))
        self.assertEqual(server.get(f"/api/v1/slots/{running}/film.mp4").code, "not_ready")
        self.assertEqual(server.get(server.job(done)["links"]["film"]).body, film)
        same = server.post("/api/v1/slots", {"recipe": recipe(seed=9)}, headers=key)
        self.assertEqual((same.status, same.json["id"]), (200, done))
        self.assertEqual(server.wait_for(waiting)["outcome"], "done")
        self.assertEqual(server.close(), 0)

    def test_one_folder_one_server(self):
        server = Server()
        second = Server(folder=server.folder, wait=False)
        self.assertEqual(second.process.wait(PATIENCE), 8)
        self.assertIn("in_use", second.process.stdout.read().decode())
        self.forget(second)
        server.close()

    def test_keeping(self):
        server = Server("serve: {keep_count: 2, jobs_per_minute: 1000}\n")
        ids = [server.slot(seed=i) for i in range(4)]
        for identity in ids:
            until(lambda: server.job(identity).get("status") != "queued")
        until(lambda: server.get("/api/v1/slots/" + ids[0]).status == 410)
        gone = server.get(f"/api/v1/slots/{ids[0]}/film.mp4")
        self.assertEqual((gone.status, gone.code), (410, "expired"))
        self.assertEqual(server.wait_for(ids[3])["outcome"], "done")
        server.close()

    def test_loading_and_bad_starts(self):
        with tempfile.TemporaryDirectory() as folder:
            for settings, flags, status in (
                    ("serve: {listen: ['nowhere']}\n", [], 2), ("", ["--listen", "127.0.0.1:99999"], 2),
                    ("", ["--api-key-file", os.path.join(folder, "none")], 4), ("serve: {cors: ['*']}\n", [], 3),
                    ("serve: {hosts: []}\n", [], 3), ("", ["--results", "/proc/nothing"], 8),
                    ("", ["--pack", "/nowhere"], 4), ("", ["--public-url", "ftp://a"], 2)):
                server = Server(settings, flags, wait=False, listen=False)
                self.assertEqual(server.process.wait(PATIENCE), status, (settings, flags))
                self.forget(server)
                shutil.rmtree(server.folder)

    def test_activation_and_notify(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told, \
                socket.create_server(("127.0.0.1", 0)) as listener:
            path = os.path.join(folder, "notify")
            told.bind(path)
            told.settimeout(PATIENCE)
            port = listener.getsockname()[1]

            # The service manager's part: sockets from 3 on, and who they are for.
            code = ("import os,sys; fd=int(sys.argv[1]); os.dup2(fd,3); os.set_inheritable(3,True);"
                    "os.environ.update(LISTEN_FDS='1',LISTEN_PID=str(os.getpid()));"
                    "os.execv(sys.argv[2],sys.argv[2:])")
            server = Server(listen=False, env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}, fds=[listener.fileno()],
                            prefix=["python3", "-c", code, str(listener.fileno())])
            self.assertEqual(server.port, port)

            def until_told(word):
                seen = []
                while True:
                    seen += told.recv(1000).decode().split("\n")
                    if word in seen:
                        return seen
            self.assertIn("STATUS=serving", until_told("READY=1"))
            self.assertEqual(server.get("/healthz").status, 200)
            until_told("WATCHDOG=1")
            server.send(signal.SIGHUP)
            until_told("RELOADING=1")
            until_told("READY=1")
            server.send(signal.SIGTERM)
            until_told("STOPPING=1")
            self.assertEqual(server.process.wait(PATIENCE), 0)
            self.forget(server)
            shutil.rmtree(server.folder)

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "http")
            for _ in range(2):  # the second finds what the first left when it was killed
                server = Server(flags=["--listen", "unix:" + path], listen=False)
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(path)
                    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: whatever\r\nConnection: close\r\n\r\n")
                    self.assertIn(b"200 OK", s.recv(1000))
                server.stop(signal.SIGKILL)
                self.forget(server)
                shutil.rmtree(server.folder)


if __name__ == "__main__":
    unittest.main()
