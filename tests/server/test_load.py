"""Many clients at once, some of whom leave: everybody else is answered, and the process does not grow. Contract 9.

VORTEX_LOAD=long is the whole of it; else a twentieth."""
import json
import os
import random
import threading
import unittest

from rig import VORTEX, Server, recipe, until

LONG = os.environ.get("VORTEX_LOAD") == "long"
GETS, SPEECHES, PICTURES, FILMS, LEAVERS = (600, 250, 100, 30, 20) if LONG else (40, 14, 6, 4, 3)
CLIENTS = 8
GROWTH = 10e6


class Load(unittest.TestCase):
    def resident(self):
        return self.server.metric("process_resident_memory_bytes")

    def one(self, what, seed):
        s = self.server
        if what == "get":
            path = random.Random(seed).choice(("/healthz", "/metrics", "/api/v1/slots", "/api/v1/info"))
            return s.get(path)
        if what == "speech":
            return s.post("/api/v1/speech", {"script": "Read.", "voice_id": "narrator", "seed": seed})
        if what == "picture":
            return s.post("/api/v1/pictures", {"prompt": "a", "seed": seed})
        return s.post("/api/v1/slots?wait=1", {"recipe": recipe(seed=seed, script="Read.")})

    def leave(self, seed):
        body = json.dumps({"recipe": recipe(seed=seed)}).encode()
        with self.server.connect() as s:
            s.sendall(b"POST /api/v1/slots?wait=1&live=1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body)
            if seed % 2:
                s.recv(100)

    def work(self, jobs, wrong):
        while True:
            try:
                what, seed = jobs.pop()
            except IndexError:
                return
            if what == "leave":
                self.leave(seed)
                continue
            while True:
                answer = self.one(what, seed)
                if answer.status != 429:
                    break
            if answer.status != 200:
                wrong.append((what, answer.status, answer.body[:200]))

    def round(self):
        jobs = [(what, seed) for what, count in (("get", GETS), ("speech", SPEECHES), ("picture", PICTURES),
                                                 ("film", FILMS), ("leave", LEAVERS))
                for seed in range(count)]
        random.Random(5).shuffle(jobs)
        wrong = []
        threads = [threading.Thread(target=self.work, args=(jobs, wrong)) for _ in range(CLIENTS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])
        s = self.server
        until(lambda: s.metric("vortex_jobs_running") + s.metric("vortex_jobs_waiting") == 0, "the end of all jobs")

    def test_load(self):
        self.server = Server("serve: {jobs_per_minute: 100000, per_client: 64, jobs_per_client: 64, keep_count: 4}\n")
        for _ in range(1 if LONG else 2):  # what is opened once, and what heaps come to hold
            self.round()
        before, open_before = self.resident(), self.server.metric("process_open_fds")
        self.round()
        grown = self.resident() - before
        until(lambda: self.server.metric("process_open_fds") <= open_before, "descriptors as before")
        # Sanitizers keep what was freed.
        with open(VORTEX, "rb") as f:
            program = f.read()
        sanitized = b"__asan_init" in program or b"__tsan_init" in program
        if not sanitized:
            self.assertLess(grown, GROWTH)
        print(f"{'long' if LONG else 'short'}: resident memory grew by {grown / 1e6:.1f} MB")
        self.assertEqual(self.server.close(), 0)


if __name__ == "__main__":
    unittest.main()
