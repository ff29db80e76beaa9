"""The Python module against the library and its header: python.py LIBRARY INCLUDE PACK [FILMS]

Layouts are compared with what a C compiler says; then the small random pack makes speech, a picture and films, whose
memory must stay flat.
"""

import asyncio
import ctypes
import gc
import os
import subprocess
import sys
import tempfile
import weakref

os.environ["VORTEX_LIBRARY"] = sys.argv[1]
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))

import vortex  # noqa: E402
from vortex import _abi  # noqa: E402

RECIPE = {"audio_track": {"script": "Hello there."}, "visual_track": {"prompt": "a face"},
          "output": {"width": 64, "height": 64, "max_seconds": 5}, "verify": {"enabled": False}}
STRUCTS = {"vx_error": _abi.Error, "vx_log_line": _abi.LogLine, "vx_frame": _abi.Frame,
           "vx_interval": _abi.Interval, "vx_word": _abi.Word, "vx_stage_time": _abi.StageTime,
           "vx_submit_params": _abi.SubmitParams, "vx_open_params": _abi.OpenParams,
           "vx_result": _abi.Result}


def layouts_are_the_headers(folder: str) -> None:
    lines, ours = [], []
    for name, struct in STRUCTS.items():
        lines.append(f'printf("%zu\\n", sizeof({name}));')
        ours.append((name, ctypes.sizeof(struct)))
        for field, *_ in struct._fields_:
            c_name = "pass" if field == "passed" else field
            lines.append(f'printf("%zu\\n", offsetof({name}, {c_name}));')
            ours.append((f"{name}.{field}", getattr(struct, field).offset))
    lines.append('printf("%d\\n", VORTEX_API);')
    ours.append(("VORTEX_API", _abi.API))
    source = os.path.join(folder, "layout.c")
    with open(source, "w") as file:
        file.write("#include <stdio.h>\n#include <vortex/vortex.h>\nint main(void)\n{\n"
                   + "\n".join(lines) + "\nreturn 0;\n}\n")
    program = os.path.join(folder, "layout")
    subprocess.run(["cc", "-I", sys.argv[2], source, "-o", program], check=True)
    theirs = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    for (name, value), said in zip(ours, theirs, strict=True):
        assert value == int(said), f"{name}: {value} here, {said} in the header"


def raises(kind: type, code: str, call, *arguments, **options) -> vortex.VortexError:
    try:
        call(*arguments, **options)
    except kind as problem:
        assert getattr(problem, "code", code) == code, problem
        return problem
    raise AssertionError(f"no {kind.__name__}")


def speech(engine: vortex.Vortex, folder: str) -> None:
    heard = []
    path = os.path.join(folder, "a.wav")
    with engine.say("Hello there.", path, on_sound=lambda first, samples, words:
                    heard.extend(samples.tolist())) as said:
        assert said.outcome == "done" and os.path.getsize(path) > 1000
        assert heard == said.samples.tolist() and said.sample_rate == 24000
        assert [word.text for word in said.words] == ["Hello", "there"]
        assert said.words[0].end_s <= said.words[1].start_s <= said.seconds
    try:
        said.samples
    except ValueError:
        pass
    else:
        raise AssertionError("a closed result gives samples")


def leases_are_kept_while_something_looks(engine: vortex.Vortex) -> None:
    said = engine.say("Hello.")
    try:
        import numpy
    except ImportError:
        print("not checked: numpy is not there")
        said.close()
        return
    array = numpy.asarray(said.samples)
    assert array.dtype == numpy.float32 and array.__array_interface__["data"][0] == said._raw.samples
    raises(BufferError, "", said.close)
    total = float(numpy.abs(array).sum())
    del array
    said.close()
    assert total > 0


def errors_are_exceptions(engine: vortex.Vortex, folder: str) -> None:
    path = os.path.join(folder, "x.mp4")
    problem = raises(vortex.InputError, "bad_recipe", engine.film, {"nonsense": 1}, path)
    assert problem.line == 1 and "nonsense" in str(problem)
    raises(vortex.MissingError, "missing_voice", engine.say, "Hello.", voice="nobody")
    raises(vortex.UsageError, "bad_usage", engine.submit, 77, {})
    raises(KeyError, "", engine.film, RECIPE, path, on_frame=lambda index, pixels: {}["mine"])
    kept = []
    with engine.film(RECIPE, path, on_frame=lambda index, pixels: kept.append(pixels)) as film:
        assert len(kept) == film.frame_count
    raises(BufferError, "", engine.film, RECIPE, path,
           on_frame=lambda index, pixels: kept.append(memoryview(pixels)))
    try:
        kept[0][0, 0, 0]
    except ValueError:
        pass
    else:
        raise AssertionError("a frame outlives its callback")


def jobs_can_be_awaited(engine: vortex.Vortex) -> None:
    async def both() -> list:
        jobs = [engine.submit(_abi.SPEECH, {"script": text}) for text in ("One.", "Two.")]
        seconds = []
        for job in jobs:
            with await job as result:
                seconds.append(result.seconds)
        return seconds

    assert all(seconds > 0.1 for seconds in asyncio.run(both()))
    job = engine.submit(_abi.SPEECH, {"script": "Never heard."})
    job.cancel()
    raises(vortex.Cancelled, "cancelled", job.wait)


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def films_leave_nothing(engine: vortex.Vortex, folder: str, count: int) -> None:
    path = os.path.join(folder, "film.mp4")
    before = 0
    for i in range(count):
        with engine.film(RECIPE, path) as film:
            assert film.key_frames[0].shape == (64, 64, 3) and os.path.getsize(path) > 1000
        if i == 9:
            gc.collect()
            before = resident()
    gc.collect()
    grown = resident() - before  # the heap's arenas move by a megabyte
    assert grown < 4e6, f"{count} films: {grown} bytes more than after the tenth"
    print(f"{count} films, {grown} bytes more than after the tenth")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        layouts_are_the_headers(folder)
        raises(vortex.MissingError, "no_pack", vortex.Vortex, pack="no-such-pack")
        with vortex.Vortex(pack=sys.argv[3]) as engine:
            assert engine.info["pack"]["synthetic"] and engine.plan["fits"]
            assert "vortex_memory" in engine.metrics and engine.voices["voices"]
            assert engine.check(RECIPE)["kind"] == "film"
            speech(engine, folder)
            with engine.imagine("a face") as made:
                height, width, _ = made.picture.shape
                assert made.report["width"] == width and made.report["height"] == height
            leases_are_kept_while_something_looks(engine)
            errors_are_exceptions(engine, folder)
            jobs_can_be_awaited(engine)
            films_leave_nothing(engine, folder, int(sys.argv[4]) if len(sys.argv) > 4 else 30)
        gone = weakref.ref(engine)
        del engine, made
        gc.collect()
        assert gone() is None, "the engine outlives its last user"


main()
