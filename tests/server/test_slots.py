"""Films, their files and their events; bytes are those of the command line. Contract 2, 3."""
import hashlib
import json
import os
import subprocess
import tempfile
import unittest

from rig import LONG, PACK, PICTURE, VORTEX, ServerTest, recipe, until


class Slots(ServerTest):
    def command(self, *arguments):
        subprocess.run([VORTEX, "--config", self.server.settings, "--pack", PACK, "--quiet", *arguments], check=True,
                       stderr=subprocess.DEVNULL)

    def test_bytes_are_the_command_line_s(self):
        with tempfile.TemporaryDirectory() as folder:
            path, film = os.path.join(folder, "r.yaml"), os.path.join(folder, "f.mp4")
            text = json.dumps(recipe(seed=11), indent=1)
            with open(path, "w") as f:
                f.write(text)
            self.command("generate", path, "-o", film)
            with open(film, "rb") as f:
                made = f.read()
        # The film's metadata holds the recipe as it came.
        answer = self.server.post_parts("/api/v1/slots", [("recipe", text)])
        self.assertEqual(answer.status, 202, answer.body)
        job = self.server.wait_for(answer.json["id"])
        self.assertEqual(job["outcome"], "done", job)
        served = self.server.get(job["links"]["film"])
        self.assertEqual(served.body, made)
        self.assertEqual(served.headers["ETag"], f'"{hashlib.sha256(made).hexdigest()}"')
        again = self.server.post_parts("/api/v1/slots?wait=1", [("recipe", text)])
        self.assertEqual(again.status, 200)
        self.assertEqual(again.body, made)
        self.assertEqual(again.headers["Content-Type"], "video/mp4")
        self.assertGreater(float(again.headers["vortex-seconds"]), 0)

    def test_files_and_ranges(self):
        with open(PICTURE, "rb") as f:
            picture = f.read()
        answer = self.server.post_parts("/api/v1/slots", [
            ("recipe", json.dumps({**recipe(seed=12), "visual_track": {"image": "upload"}})),
            ("image", picture)])
        self.assertEqual(answer.status, 202, answer.body)
        self.assertEqual(answer.headers["Location"], "/api/v1/slots/" + answer.json["id"])
        job = self.server.wait_for(answer.json["id"])
        self.assertEqual(job["outcome"], "done", job)
        self.assertIn("video", [s["name"] for s in job["stages"]])
        kinds = {"film": b"ftyp", "sheet": b"PNG", "vtt": b"WEBVTT", "srt": b"-->", "report": b"slot_id",
                 "actor": b"PNG", "audio": b"WAVE", "timings": b"phonemes"}
        for name, mark in kinds.items():
            self.assertIsNotNone(job["links"][name], name)
            body = self.server.get(job["links"][name]).body
            self.assertIn(mark, body[:4000], name)
        # No name of a file of the server is in anything.
        for name in ("report", "timings"):
            self.assertNotIn(self.server.folder.encode(), self.server.get(job["links"][name]).body)
        self.assertNotIn(self.server.folder, json.dumps(job))
        film = self.server.get(job["links"]["film"])
        tag = film.headers["ETag"]
        part = self.server.get(job["links"]["film"], headers={"Range": "bytes=10-19"})
        self.assertEqual((part.status, part.body), (206, film.body[10:20]))
        self.assertEqual(part.headers["Content-Range"], f"bytes 10-19/{len(film.body)}")
        tail = self.server.get(job["links"]["film"], headers={"Range": "bytes=-5", "If-Range": tag})
        self.assertEqual((tail.status, tail.body), (206, film.body[-5:]))
        for headers in ({"Range": "bytes=0-1,4-5"}, {"Range": "bytes=x"}, {"Range": "bytes=0-1", "If-Range": '"x"'}):
            self.assertEqual(self.server.get(job["links"]["film"], headers=headers).body, film.body)
        beyond = self.server.get(job["links"]["film"], headers={"Range": "bytes=999999999-"})
        self.assertEqual((beyond.status, beyond.headers["Content-Range"]), (416, f"bytes */{len(film.body)}"))
        self.assertEqual(self.server.get(job["links"]["film"], headers={"If-None-Match": tag}).status, 304)
        head = self.server.ask("HEAD", job["links"]["film"])
        self.assertEqual((head.status, head.body, head.headers["Content-Length"]), (200, b"", str(len(film.body))))
        named = self.server.get(job["links"]["film"] + "?download=../a%20b%0Ac.mp4")
        self.assertEqual(named.status, 400)
        named = self.server.get(job["links"]["film"] + "?download=../a%20b%22;c.mp4")
        self.assertEqual(named.headers["Content-Disposition"], 'attachment; filename="..abc.mp4"')
        # The actor of one film speaks in another.
        again = self.server.post("/api/v1/slots", {"recipe": {
            **recipe(seed=13), "visual_track": {"image": "slot:" + job["id"]}}})
        self.assertEqual(again.status, 202, again.body)
        self.assertEqual(self.server.wait_for(again.json["id"])["outcome"], "done")

    def test_lists(self):
        ids = [self.server.slot(seed=20 + i) for i in range(3)]
        for identity in ids:
            self.server.wait_for(identity)
        page = self.server.get("/api/v1/slots?limit=2").json
        self.assertEqual([j["id"] for j in page["data"]], ids[:0:-1])
        self.assertTrue(page["has_more"])
        page = self.server.get(f"/api/v1/slots?limit=1&after={page['last_id']}").json
        self.assertEqual(page["data"][0]["id"], ids[0])
        up = self.server.get(f"/api/v1/slots?order=asc&after={ids[0]}&status=completed").json
        self.assertEqual([j["id"] for j in up["data"]], ids[1:])
        self.assertFalse(up["has_more"])
        for query in ("limit=0", "limit=101", "limit=x", "order=up", "status=asleep"):
            self.assertEqual(self.server.get("/api/v1/slots?" + query).status, 400, query)
        gone = self.server.ask("DELETE", "/api/v1/slots/" + ids[0])
        self.assertEqual(gone.json, {"id": ids[0], "deleted": True})
        self.assertEqual(self.server.get("/api/v1/slots/" + ids[0]).code, "job_not_found")

    def events(self, path, headers=None):
        """Events until the stream ends."""
        import http.client
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        self.assertEqual(response.headers["Content-Type"], "text/event-stream")
        event = {}
        for line in response:
            line = line.decode().rstrip("\n")
            if line == "":
                if event:
                    yield event
                event = {}
            elif not line.startswith(":"):
                key, value = line.split(": ", 1)
                event[key] = json.loads(value) if key == "data" else value
        connection.close()

    def test_events_resume(self):
        before = self.server.slot(seed=29)
        start = list(self.events(f"/api/v1/slots/{before}/events"))[-1]["id"]
        identity = self.server.slot(seed=30, script=LONG)
        # From a number that was told before the job was there: nothing of it is missed.
        seen = list(self.events(f"/api/v1/slots/{identity}/events", {"Last-Event-ID": start}))
        self.assertEqual(seen[0]["event"], "state")
        self.assertEqual(seen[-1]["event"], "result")
        self.assertEqual(seen[-1]["data"]["status"], "completed")
        self.assertIn("stage", [e["event"] for e in seen])
        speech = [e["data"] for e in seen if e["event"] == "speech"]
        self.assertEqual(len(speech), 1)
        self.assertEqual(len(speech[0]["words"]), len(LONG.split()))
        self.assertGreaterEqual(speech[0]["seconds"], speech[0]["words"][-1]["end_s"])
        numbers = [int(e["id"]) for e in seen]
        self.assertEqual(numbers, sorted(numbers))
        middle = len(seen) // 2
        rest = list(self.events(f"/api/v1/slots/{identity}/events", {"Last-Event-ID": seen[middle]["id"]}))
        self.assertEqual([e["id"] for e in rest], [e["id"] for e in seen[middle + 1:]])
        # Who has heard all, and who knows nothing, is told how it ended.
        for last in (seen[-1]["id"], "x", "999999", None):
            end = list(self.events(f"/api/v1/slots/{identity}/events", {"Last-Event-ID": last} if last else None))
            self.assertEqual([e["event"] for e in end], ["result"], last)

    def test_cancel(self):
        running = self.server.slot(seed=40, script=LONG)
        waiting = self.server.slot(seed=41)
        stopped = self.server.post(f"/api/v1/slots/{waiting}/cancel")
        self.assertEqual(stopped.status, 200)
        self.assertEqual(self.server.wait_for(waiting)["status"], "cancelled")
        self.server.ask("DELETE", "/api/v1/slots/" + running)
        self.assertEqual(self.server.get("/api/v1/slots/" + running).code, "job_not_found")
        # An ended job stays as it is.
        again = self.server.post(f"/api/v1/slots/{waiting}/cancel", {})
        self.assertEqual((again.status, again.json["status"]), (200, "cancelled"))
        self.assertEqual(self.server.get(f"/api/v1/slots/{waiting}/film.mp4").code, "not_ready")
        until(lambda: running not in os.listdir(os.path.join(self.server.results, "jobs")), "the end of its folder")

    def test_live_film(self):
        identity = self.server.slot(seed=45, script=LONG)
        film = self.server.get(f"/api/v1/slots/{identity}/film.mp4?live=1")
        self.assertEqual(film.status, 200, film.body[:300])
        self.assertTrue(film.headers["Content-Type"].startswith("video/mp4"))
        self.assertIn(b"moof", film.body)
        self.assertEqual(film.headers.get("Transfer-Encoding"), "chunked")
        self.server.wait_for(identity)
        ordinary = self.server.get(f"/api/v1/slots/{identity}/film.mp4?live=1")
        self.assertNotIn(b"moof", ordinary.body)
        waited = self.server.post("/api/v1/slots?wait=1&live=1", {"recipe": recipe(seed=45, script=LONG)})
        self.assertEqual(waited.status, 200)
        self.assertEqual(waited.body, film.body)

    def test_idempotency(self):
        key = {"Idempotency-Key": "once"}
        first = self.server.post("/api/v1/slots", {"recipe": recipe(seed=50)}, headers=key)
        again = self.server.post("/api/v1/slots", {"recipe": recipe(seed=50)}, headers=key)
        self.assertEqual((first.status, again.status), (202, 200))
        self.assertEqual(first.json["id"], again.json["id"])
        self.assertEqual(again.headers["vortex-replayed"], "true")
        other = self.server.post("/api/v1/slots", {"recipe": recipe(seed=51)}, headers=key)
        self.assertEqual((other.status, other.code), (409, "idempotency_conflict"))
        self.assertEqual(other.headers["x-should-retry"], "false")
        film = self.server.post("/api/v1/slots?wait=1", {"recipe": recipe(seed=50)}, headers=key)
        self.assertEqual((film.status, film.body[4:8]), (200, b"ftyp"))
        self.assertEqual(self.server.post("/api/v1/slots", {}, headers={"Idempotency-Key": "x" * 129}).status, 400)

    def test_speech(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s.wav")
            self.command("say", "Read the lead.", "--voice", "narrator", "-o", path)
            with open(path, "rb") as f:
                said = f.read()
        ask = {"script": "Read the lead.", "voice_id": "narrator"}
        whole = self.server.post("/api/v1/speech", {**ask, "stream": False})
        self.assertEqual((whole.status, whole.headers["Content-Type"]), (200, "audio/wav"), whole.body[:300])
        self.assertEqual(whole.body, said)
        streamed = self.server.post("/api/v1/speech", ask)
        self.assertEqual(streamed.body[44:], said[44:])
        self.assertEqual(streamed.body[40:44], b"\xff" * 4)
        pcm = self.server.post("/api/v1/speech", {**ask, "format": "pcm"})
        self.assertEqual((pcm.body, pcm.headers["Content-Type"]), (said[44:], "audio/pcm;rate=24000"))
        lines = [json.loads(line) for line in
                 self.server.post("/api/v1/speech", {**ask, "timings": True}).body.splitlines()]
        import base64
        self.assertEqual(b"".join(base64.b64decode(l["audio"]) for l in lines[:-1]), said[44:])
        self.assertEqual([w["text"].strip(".") for l in lines[:-1] for w in l["words"]], ["Read", "the", "lead"])
        self.assertEqual((lines[-1]["done"], lines[-1]["samples"]), (True, (len(said) - 44) // 2))
        self.assertEqual(self.server.post("/api/v1/speech", {"script": "a", "format": "wma"}).code, "bad_format")
        self.assertEqual(self.server.post("/api/v1/speech", {"script": "a" * 4097}).code, "too_long")
        self.assertEqual(self.server.post("/api/v1/speech", {"script": "a", "volume": 1}).status, 400)
        self.assertEqual([f for f in os.listdir(self.server.results) if "answer" in f], [])

    def test_pictures_and_scores(self):
        picture = self.server.post("/api/v1/pictures", {"prompt": "a b c", "seed": 4})
        self.assertEqual((picture.status, picture.headers["Content-Type"]), (200, "image/png"), picture.body[:300])
        self.assertEqual(picture.body[1:4], b"PNG")
        self.assertEqual(picture.headers["vortex-seed"], "4")
        self.assertEqual(int(picture.headers["Content-Length"]), len(picture.body))
        again = self.server.post("/api/v1/pictures", {"prompt": "a b c", "seed": 4, "session": "s"})
        self.assertEqual(again.body, picture.body)
        score = self.server.post_parts("/api/v1/score", [("image", picture.body), ("prompts", "a b"), ("prompts", "c")])
        self.assertEqual(score.status, 200, score.body)
        self.assertEqual([p["text"] for p in score.json["prompts"]], ["a b", "c"])
        self.assertEqual(self.server.post("/api/v1/pictures", {"prompt": "a", "noise": "/etc/passwd"}).status, 400)
        bad = self.server.post("/api/v1/score", {"image": "/etc/passwd", "prompts": ["a"]})
        self.assertEqual(bad.code, "bad_image")

    def test_check_and_documents(self):
        good = self.server.post("/api/v1/recipes/check", {"recipe": recipe()})
        self.assertEqual((good.status, good.json["ok"]), (200, True))
        bad = self.server.post_parts("/api/v1/recipes/check", [("recipe", "audio_track:\n  script: a\n  pitch: 3\n")])
        self.assertEqual((bad.status, bad.code, bad.json["error"]["line"]), (400, "bad_recipe", 3))
        info = self.server.get("/api/v1/info").json
        self.assertEqual(info["pack"]["name"], "small")
        self.assertTrue(info["features"]["speech"])
        self.assertTrue(self.server.get("/api/v1/plan").json["fits"])
        self.assertIn("voices", self.server.get("/api/v1/voices").json)
        memory = self.server.get("/api/v1/memory").json
        self.assertGreater(memory["planned_bytes"], 0)
        paths = self.server.get("/api/v1/openapi.json").json["paths"]
        self.assertIn("post", paths["/api/v1/slots"])
        self.assertEqual(self.server.get("/readyz").json["status"], "ready")


if __name__ == "__main__":
    unittest.main()
