#!/usr/bin/env python3
"""A sentence beside a film: how long its first sound takes while a film's video stage works, and how much longer
the film takes for it, as ratios to an engine that is idle otherwise. Median of N pairs, with the spread of each.

    bench/beside_film.py [--library build/release/libvortex.so] [--pack toon] [--pairs 20]

Nothing else may run on the machine.
"""
import argparse
import ctypes as c
import statistics
import tempfile
import threading
import time

API = 4
FILM, SPEECH = 0, 1
SENTENCE = b"{script: \"This is one sentence of an ordinary length, said beside a film.\"}"
RECIPE = b"""audio_track: {script: "One two three four five six seven eight nine ten eleven twelve thirteen fourteen."}
visual_track: {prompt: a wizard}
"""


class Error(c.Structure):
    _fields_ = [("status", c.c_int), ("line", c.c_int), ("code", c.c_char * 32), ("file", c.c_char * 256),
                ("message", c.c_char * 768)]


class Open(c.Structure):
    """vx_open_params"""
    _fields_ = [("settings", c.c_char_p), ("pack", c.c_char_p), ("device", c.c_char_p), ("threads", c.c_int),
                ("only", c.c_void_p), ("progress", c.c_void_p), ("progress_arg", c.c_void_p), ("cancel", c.c_void_p),
                ("log", c.c_void_p), ("log_arg", c.c_void_p), ("log_level", c.c_char_p), ("only_count", c.c_size_t)]


SOUND = c.CFUNCTYPE(None, c.c_void_p, c.c_int64, c.c_void_p, c.c_int64, c.c_void_p, c.c_int64)
FRAME = c.CFUNCTYPE(None, c.c_void_p, c.c_int64, c.c_void_p)


class Submit(c.Structure):
    """vx_submit_params"""
    _fields_ = [("recipe", c.c_char_p), ("text", c.c_char_p), ("text_bytes", c.c_size_t), ("folder", c.c_char_p),
                ("path", c.c_char_p), ("sheet", c.c_char_p), ("has_seed", c.c_bool), ("seed", c.c_int64),
                ("deadline_ms", c.c_int64), ("progress", c.c_void_p), ("frame", FRAME), ("arg", c.c_void_p),
                ("loudness", c.c_double), ("subtitles", c.c_char_p), ("srt", c.c_char_p), ("vtt", c.c_char_p),
                ("kind", c.c_int), ("priority", c.c_int), ("confined", c.c_bool), ("image", c.c_void_p),
                ("image_bytes", c.c_size_t), ("actor", c.c_char_p), ("audio", c.c_char_p), ("timings", c.c_char_p),
                ("motion", c.c_char_p), ("sound", SOUND), ("picture", c.c_void_p), ("write", c.c_void_p),
                ("ended", c.c_void_p)]


class Engine:
    """vortex.h, as far as it is needed here."""

    def __init__(self, library, pack):
        self.lib = c.CDLL(library)
        self.handle, self.error = c.c_void_p(), Error()
        params = Open(pack=pack.encode(), log_level=b"error")
        self.check(self.lib.vx_open_api(c.byref(self.handle), c.byref(params), c.byref(self.error), API))

    def check(self, status):
        if status != 0:
            raise SystemExit(self.error.message.decode())

    def submit(self, **params):
        job = c.c_void_p()
        self.check(self.lib.vx_submit_api(self.handle, c.byref(Submit(**params)), c.byref(job), c.byref(self.error),
                                          API))
        return job

    def finish(self, job):
        self.lib.vx_job_wait(job, c.c_int64(-1))
        self.lib.vx_job_free(c.byref(job))

    def first_sound(self):
        """Seconds from the submission to the first samples."""
        heard = []
        hear = SOUND(lambda *_: heard.append(time.monotonic()))
        begin = time.monotonic()
        self.finish(self.submit(kind=SPEECH, text=SENTENCE, sound=hear))
        return heard[0] - begin

    def film(self, path, with_sentence):
        """Seconds that a film takes, and those of the first sound of a sentence said beside its frames."""
        framed, sentence = threading.Event(), None
        see = FRAME(lambda *_: framed.set())
        begin = time.monotonic()
        job = self.submit(kind=FILM, text=RECIPE, path=path, frame=see)
        if with_sentence:
            framed.wait()
            sentence = self.first_sound()
        self.finish(job)
        return time.monotonic() - begin, sentence


def show(name, values):
    print(f"{name}: {statistics.median(values):.3f} s ({min(values):.3f} to {max(values):.3f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", default="build/release/libvortex.so")
    parser.add_argument("--pack", default="toon")
    parser.add_argument("--pairs", type=int, default=20)
    args = parser.parse_args()
    engine = Engine(args.library, args.pack)
    idle, beside, alone, together = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/film.mp4".encode()
        engine.first_sound()
        for _ in range(args.pairs):
            idle.append(engine.first_sound())
            alone.append(engine.film(path, False)[0])
            took, sentence = engine.film(path, True)
            together.append(took)
            beside.append(sentence)
    for name, values in (("first sound, idle", idle), ("first sound, beside a film", beside), ("film alone", alone),
                         ("film with a sentence", together)):
        show(name, values)
    print(f"first sound: {statistics.median(b / i for b, i in zip(beside, idle)):.2f} times; "
          f"film: {statistics.median(t / a for t, a in zip(together, alone)):.2f} times")
    engine.lib.vx_close(c.byref(engine.handle), c.c_int64(0))


if __name__ == "__main__":
    main()
