"""Vortex: recipes in, talking heads out, from models that stay resident.

    import vortex

    with vortex.Vortex(pack="toon") as engine:
        with engine.say("Hello there.", path="hello.wav") as speech:
            print(speech.seconds, speech.words)
        with engine.film({"audio_track": {"script": "Hello."},
                          "visual_track": {"prompt": "a wizard"}}, path="hello.mp4") as film:
            print(film.report["verify"])

Samples and pixels are views of the engine's own memory, memoryviews that numpy takes without a copy
(numpy.asarray). They hold the result's lease: close() and the end of `with` refuse to take memory
from under an array that is still there. The engine makes further films only while it has a set of
buffers that nobody holds, so results are closed as soon as they have been read.

Callbacks run on the engine's threads, hold Python's lock and must be quick; what they raise ends the
job and is raised where the job is waited for. The buffers that they are given are valid during the
call. Every method may be called from any thread.
"""

from __future__ import annotations

import asyncio
import ctypes as c
import json
import os
import struct
import threading
import weakref
from typing import Any, Callable, Generator, Mapping, NamedTuple, Optional, Sequence, Union

from . import _abi
from ._abi import lib

__all__ = [
    "Vortex", "Job", "Result", "Word", "VortexError", "UsageError", "InputError", "MissingError",
    "MemoryPlanError", "DeadlineError", "Cancelled", "DeviceError", "VerifyError", "version",
]

Path = Union[str, "os.PathLike[str]"]
Request = Union[Mapping[str, Any], Path]
Image = Union[Path, bytes, bytearray, memoryview]


class VortexError(Exception):
    """One sentence: what, why, what to do. `code` is for programs ("bad_recipe"); `file` and `line`
    say where a document is wrong, and are None when that is not known."""

    def __init__(self, message: str, code: str, file: Optional[str], line: Optional[int]) -> None:
        super().__init__(message)
        self.code, self.file, self.line = code, file, line

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file and self.line else ""
        return place + super().__str__()


class UsageError(VortexError, ValueError):
    """An argument makes no sense."""


class InputError(VortexError, ValueError):
    """A recipe, a text, a picture or weights are bad."""


class MissingError(VortexError):
    """A model, a voice or a file is not there."""


class MemoryPlanError(VortexError, MemoryError):
    """The plan does not fit the budget, or memory became short."""


class DeadlineError(VortexError, TimeoutError):
    """A deadline passed, or the queue is full ("busy")."""


class Cancelled(VortexError):
    """The job was cancelled."""


class DeviceError(VortexError, OSError):
    """A device, a disk or a pipe failed."""

    def __str__(self) -> str:
        return VortexError.__str__(self)


class VerifyError(VortexError):
    """The film is there and does not show what its prompt says; `result` holds it."""

    result: "Result"


_kinds = {
    -2: UsageError, -3: InputError, -4: MissingError, -5: MemoryPlanError, -6: DeadlineError,
    -7: Cancelled, -8: DeviceError, -9: VerifyError,
}


def _exception(error: _abi.Error) -> VortexError:
    text = error.message.decode("utf-8", "replace")
    file = os.fsdecode(error.file) or None
    kind = _kinds.get(error.status, VortexError)
    return kind(text, error.code.decode("ascii", "replace"), file, error.line or None)


def version() -> str:
    """The library's."""
    return lib.vx_version().decode()


class Word(NamedTuple):
    text: str
    start_s: float
    end_s: float


class _Loan:
    """A view of the engine's memory, and whether anything looks at that memory still: an array that
    was made of the view lives on when the view is released."""

    def __init__(self, kind: str, address: Optional[int], count: int, owner: object,
                 shape: Optional[list[int]] = None) -> None:
        size = count * struct.calcsize(kind) if address else 0
        memory = (c.c_ubyte * size).from_address(address) if size else (c.c_ubyte * 0)()
        memory.owner = owner  # whoever holds the memory keeps the lease
        self._memory = weakref.ref(memory)
        view = memoryview(memory).cast("B")
        self.view = view.cast("B", shape) if shape and size else view.cast(kind)

    def end(self) -> None:
        self.view.release()
        if self._memory() is not None:
            raise BufferError("an array still looks at the engine's memory; copy it, or let it go")


def _pixels(frame: _abi.Frame, owner: object) -> _Loan:
    """[height, width, 3] bytes; rows follow each other."""
    assert frame.stride == frame.width * 3
    shape = [frame.height, frame.width, 3]
    return _Loan("B", frame.rgb, frame.height * frame.width * 3, owner, shape)


def _words(words: Any, count: int, rate: int) -> list[Word]:
    return [
        Word(c.string_at(w.text, w.text_bytes).decode("utf-8", "replace"), w.start / rate,
             w.end / rate)
        for w in (words[i] for i in range(count))
    ]


class Result:
    """What a job has made. `outcome` is "done" or, when a film was not verified, "verify_failed";
    `report` is the document of docs/CONTRACTS.md. Views end with close()."""

    def __init__(self, job: "Job") -> None:
        self._job: Optional[Job] = job
        raw = lib.vx_job_result(job._handle).contents
        self._raw = raw
        self._loans: list[_Loan] = []
        self.outcome: str = raw.outcome.decode()
        self.report: dict[str, Any] = json.loads(raw.report) if raw.report else {}
        self.path: Optional[str] = os.fsdecode(raw.path) if raw.path else None
        self.sample_rate: int = raw.sample_rate
        self.seconds: float = raw.sample_count / raw.sample_rate if raw.sample_rate else 0.0
        self.frame_count: int = raw.frames
        self.fps: int = raw.fps
        self.words: list[Word] = _words(raw.words, raw.word_count, raw.sample_rate or 1)
        self.verified: bool = raw.verified
        self.passed: bool = raw.passed
        self.score: Optional[float] = raw.score_ensemble if raw.verified else None
        self.stages: dict[str, tuple[float, float]] = {
            raw.stages[i].name.decode(): (raw.stages[i].start_s, raw.stages[i].end_s)
            for i in range(raw.stage_count)
        }

    def _open(self) -> _abi.Result:
        if self._job is None:
            raise ValueError("the result is closed: its memory is the engine's again")
        return self._raw

    def _lend(self, loan: _Loan) -> memoryview:
        self._loans.append(loan)
        return loan.view

    @property
    def samples(self) -> memoryview:
        """float32, mono, -1 to 1, as the film times them, before its gain."""
        raw = self._open()
        return self._lend(_Loan("f", raw.samples, raw.sample_count, self))

    @property
    def phonemes(self) -> str:
        raw = self._open()
        return "".join(map(chr, _Loan("I", raw.symbol, raw.symbol_count, self).view))

    @property
    def key_frames(self) -> list[memoryview]:
        """[height, width, 3] bytes each: the frames that were verified."""
        raw = self._open()
        return [self._lend(_pixels(raw.key_frames[i], self)) for i in range(raw.key_frame_count)]

    @property
    def picture(self) -> Optional[memoryview]:
        """[height, width, 3] bytes: what imagine() made."""
        raw = self._open()
        return self._lend(_pixels(raw.picture.contents, self)) if raw.picture else None

    @property
    def embeddings(self) -> tuple[memoryview, memoryview]:
        """Of length 1, float32: the film's place in CLIP ViT-B/32 and in ViT-L/14."""
        raw = self._open()
        return (
            self._lend(_Loan("f", raw.embedding_b, raw.embedding_b_count, self)),
            self._lend(_Loan("f", raw.embedding_l, raw.embedding_l_count, self)),
        )

    def close(self) -> None:
        """Gives the buffers back. BufferError when an array still looks at them; copy it first."""
        for loan in self._loans:
            loan.end()
        self._loans.clear()
        if self._job is not None:
            self._job._release()
            self._job = None

    def __enter__(self) -> "Result":
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if kind is None:
            self.close()

    def __repr__(self) -> str:
        return f"<vortex.Result {self.outcome} {self.path or ''} {self.seconds:.2f} s>"


class Job:
    """One job: waiting, under way or ended. It can be awaited."""

    def __init__(self, engine: "Vortex", params: _abi.SubmitParams, keep: list[object]) -> None:
        self._engine = engine
        self._keep = keep  # what the engine reads until the end: texts, pictures, callbacks
        self._trouble: Optional[BaseException] = None
        self._ended = threading.Event()
        self._waiting: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        handle, error = c.c_void_p(), _abi.Error()
        ended = _abi.ON_ENDED(self._on_ended)
        self._keep.append(ended)
        params.ended = ended
        status = lib.vx_submit_api(
            engine._open(), c.byref(params), c.byref(handle), c.byref(error), _abi.API
        )
        if status != _abi.OK:
            raise _exception(error)
        self._handle = handle
        self._result: Optional[Result] = None
        self._finalizer = weakref.finalize(self, lib.vx_job_free, c.byref(handle))

    def _on_ended(self, arg: object, job: object) -> None:
        with self._lock:
            self._ended.set()
            waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()

    def _guard(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """A caller's callback: what it raises ends the job."""
        try:
            return call(*arguments)
        except BaseException as trouble:  # noqa: B036: raised again in wait()
            if self._trouble is None:
                self._trouble = trouble
            handle = getattr(self, "_handle", None)
            if handle is not None:
                lib.vx_job_cancel(handle)
            return None

    @property
    def done(self) -> bool:
        return self._ended.is_set()

    @property
    def position(self) -> int:
        """1 for the job that is next, 0 when it is under way or has ended."""
        return lib.vx_job_position(self._handle, None)

    def cancel(self) -> None:
        lib.vx_job_cancel(self._handle)

    def wait(self, timeout: Optional[float] = None) -> Result:
        """The result; raises what went wrong, VerifyError with its `result`, TimeoutError."""
        if not self._ended.wait(timeout):
            raise TimeoutError(f"the job has not ended after {timeout} s")
        return self._finish()

    def _finish(self) -> Result:
        lib.vx_job_wait(self._handle, -1)
        if self._trouble is not None:
            raise self._trouble
        if self._result is None:
            self._result = Result(self)
            error = lib.vx_job_result(self._handle).contents.error
            if error.status != _abi.OK:
                problem = _exception(error)
                if isinstance(problem, VerifyError):
                    problem.result = self._result
                raise problem
        return self._result

    def _release(self) -> None:
        lib.vx_job_release(self._handle)

    def __await__(self) -> Generator[Any, None, Result]:
        loop = asyncio.get_running_loop()
        future: "asyncio.Future[None]" = loop.create_future()

        def wake() -> None:
            loop.call_soon_threadsafe(lambda: future.done() or future.set_result(None))

        with self._lock:
            ended = self._ended.is_set()
            if not ended:
                self._waiting.append(wake)
        if not ended:
            try:
                yield from future.__await__()
            except asyncio.CancelledError:
                self.cancel()
                raise
        return self._finish()


def _text(value: Optional[Path]) -> Optional[bytes]:
    return None if value is None else os.fsencode(value)


class Vortex:
    """The resident engine. Opening plans every byte, reserves and loads: seconds, once."""

    def __init__(
        self,
        pack: Optional[Path] = None,
        *,
        settings: Optional[Path] = None,
        device: Optional[str] = None,
        threads: int = 0,
        log_level: Optional[str] = None,
        on_load: Optional[Callable[[str, float], None]] = None,
        on_log: Optional[Callable[[str, str], None]] = None,
    ) -> None:
        self._keep: list[object] = []
        params = _abi.OpenParams(
            settings=_text(settings), pack=_text(pack), device=_text(device), threads=threads,
            log_level=_text(log_level),
        )
        if on_load is not None:
            params.progress = _abi.ON_LOAD(lambda arg, name, share: on_load(name.decode(), share))
            self._keep.append(params.progress)
        if on_log is not None:
            levels = ("error", "warn", "info", "debug")
            params.log = _abi.ON_LOG(lambda arg, line: on_log(
                levels[line.contents.level], line.contents.message.decode("utf-8", "replace")))
            self._keep.append(params.log)
        self._jobs: "weakref.WeakSet[Job]" = weakref.WeakSet()
        handle, error = c.c_void_p(), _abi.Error()
        status = lib.vx_open_api(c.byref(handle), c.byref(params), c.byref(error), _abi.API)
        if status != _abi.OK:
            raise _exception(error)
        self._handle: Optional[c.c_void_p] = handle
        self._finalizer = weakref.finalize(self, lib.vx_close, c.byref(handle), 0)

    def _open(self) -> c.c_void_p:
        if self._handle is None:
            raise ValueError("the engine is closed")
        return self._handle

    # ---- jobs -------------------------------------------------------------------------------

    def submit(
        self,
        kind: int,
        request: Request,
        *,
        path: Optional[Path] = None,
        folder: Optional[Path] = None,
        sheet: Optional[Path] = None,
        image: Optional[Image] = None,
        seed: Optional[int] = None,
        deadline_s: float = 0,
        priority: int = 0,
        confined: bool = False,
        srt: Optional[Path] = None,
        vtt: Optional[Path] = None,
        timings: Optional[Path] = None,
        motion: Optional[Path] = None,
        on_progress: Optional[Callable[[str, float], None]] = None,
        on_frame: Optional[Callable[[int, memoryview], None]] = None,
        on_sound: Optional[Callable[[int, memoryview, list[Word]], None]] = None,
        on_picture: Optional[Callable[[memoryview], None]] = None,
        on_bytes: Optional[Callable[[memoryview], None]] = None,
    ) -> Job:
        """Puts a job into the queue. `request` is a document as a mapping, or the path of one; with
        a mapping, `folder` says where the files that it names lie."""
        params = _abi.SubmitParams(
            kind=kind, path=_text(path), sheet=_text(sheet), srt=_text(srt), vtt=_text(vtt),
            timings=_text(timings), motion=_text(motion), priority=priority, confined=confined,
            deadline_ms=round(deadline_s * 1000), folder=_text(folder),
            has_seed=seed is not None, seed=seed or 0,
        )
        if isinstance(request, Mapping):
            params.text = json.dumps(request).encode()
            params.text_bytes = len(params.text)
        else:
            params.recipe = os.fsencode(request)
        keep: list[object] = []
        if image is not None and not isinstance(image, (str, os.PathLike)):
            held = (c.c_ubyte * len(image)).from_buffer_copy(image)
            params.image, params.image_bytes = c.addressof(held), len(image)
            keep.append(held)
        job: list[Job] = []

        def guard(call: Callable[..., Any], *arguments: Any) -> Any:
            return job[0]._guard(call, *arguments)

        def give(loan: _Loan, call: Callable[..., Any], *arguments: Any) -> int:
            """The view ends with the call: one that is kept fails and does not crash."""
            before = job[0]._trouble
            guard(call, *arguments)
            guard(loan.end)
            return 0 if job[0]._trouble is before else 1

        if on_progress is not None:
            params.progress = _abi.ON_PROGRESS(
                lambda arg, stage, share: guard(on_progress, stage.decode(), share))
        if on_frame is not None:
            def frame(arg: Any, index: int, pixels: Any) -> None:
                loan = _pixels(pixels.contents, None)
                give(loan, on_frame, index, loan.view)
            params.frame = _abi.ON_FRAME(frame)
        if on_sound is not None:
            def sound(arg: Any, first: int, samples: int, count: int, words: Any,
                      word_count: int) -> None:
                loan = _Loan("f", samples, count, None)
                give(loan, on_sound, first, loan.view, _words(words, word_count, 24000))
            params.sound = _abi.ON_SOUND(sound)
        if on_picture is not None:
            def picture(arg: Any, pixels: Any) -> None:
                loan = _pixels(pixels.contents, None)
                give(loan, on_picture, loan.view)
            params.picture = _abi.ON_PICTURE(picture)
        if on_bytes is not None:
            def write(arg: Any, address: int, count: int) -> int:
                loan = _Loan("B", address, count, None)
                return give(loan, on_bytes, loan.view)
            params.write = _abi.ON_WRITE(write)
        keep.append(params)
        made = Job.__new__(Job)
        job.append(made)
        made.__init__(self, params, keep)  # type: ignore[misc]
        self._jobs.add(made)
        return made

    def film(self, recipe: Request, path: Optional[Path] = None, **options: Any) -> Result:
        """A recipe as an MP4 or Matroska at `path`, or as bytes for `on_bytes`."""
        return self.submit(_abi.FILM, recipe, path=path, **options).wait()

    def say(self, text: str, path: Optional[Path] = None, *, voice: Optional[str] = None,
            speed: float = 1.0, phonemes: bool = False, **options: Any) -> Result:
        """Speech: `samples`, `words`, and a sound file at `path` by its ending."""
        request = {"phonemes" if phonemes else "script": text, "speed": speed}
        if voice is not None:
            request["voice_id"] = voice
        return self.submit(_abi.SPEECH, request, path=path, **options).wait()

    def imagine(self, prompt: str, path: Optional[Path] = None, *, size: Optional[int] = None,
                steps: Optional[int] = None, image: Optional[Image] = None,
                strength: Optional[float] = None, **options: Any) -> Result:
        """Who speaks: `picture`, and a PNG or JPEG at `path`. `image`: what it begins with."""
        request: dict[str, Any] = {"prompt": prompt}
        if size is not None:
            request.update(width=size, height=size)
        if steps is not None:
            request["steps"] = steps
        if strength is not None:
            request["strength"] = strength
        return self._with_image(_abi.PICTURE, request, path, image, options)

    def animate(self, image: Image, path: Optional[Path] = None, *, say: Optional[str] = None,
                voice: Optional[str] = None, mood: Optional[str] = None,
                request: Optional[Mapping[str, Any]] = None, **options: Any) -> Result:
        """A portrait that moves: by speech, or by what `request` says (audio, drive, motion)."""
        document: dict[str, Any] = dict(request or {})
        for key, value in (("script", say), ("voice_id", voice), ("mood", mood)):
            if value is not None:
                document[key] = value
        return self._with_image(_abi.ANIMATION, document, path, image, options)

    def score(self, image: Image, prompts: Sequence[str], **options: Any) -> Result:
        """How well a picture or film shows each prompt, under both CLIPs: the result's report."""
        return self._with_image(_abi.SCORE, {"prompts": list(prompts)}, None, image, options)

    def _with_image(self, kind: int, request: dict[str, Any], path: Optional[Path],
                    image: Optional[Image], options: dict[str, Any]) -> Result:
        if isinstance(image, (str, os.PathLike)):
            full = os.path.abspath(os.fspath(image))
            request["image"] = os.path.basename(full)
            options.setdefault("folder", os.path.dirname(full))
            image = None
        return self.submit(kind, request, path=path, image=image, **options).wait()

    def check(self, request: Request, kind: int = _abi.FILM) -> dict[str, Any]:
        """What submit() would say, without a job: {kind, speech_s, work_s, expanded_prompt}."""
        params = _abi.SubmitParams(kind=kind)
        if isinstance(request, Mapping):
            params.text = json.dumps(request).encode()
        else:
            params.recipe = os.fsencode(request)
        text, error = c.c_void_p(), _abi.Error()
        status = lib.vx_check_api(self._open(), c.byref(params), c.byref(text), c.byref(error),
                                  _abi.API)
        if status != _abi.OK:
            raise _exception(error)
        return json.loads(_take(text.value))

    # ---- about the engine -------------------------------------------------------------------

    @property
    def plan(self) -> dict[str, Any]:
        return json.loads(_take(lib.vx_plan_json(self._open())))

    @property
    def voices(self) -> Any:
        return json.loads(_take(lib.vx_voices_json(self._open())))

    @property
    def info(self) -> dict[str, Any]:
        return json.loads(_take(lib.vx_info_json(self._open())))

    @property
    def metrics(self) -> str:
        return _take(lib.vx_metrics_text(self._open()))

    def close(self, drain_s: float = 0) -> None:
        """Lets jobs end for drain_s seconds (negative: as long as they take), cancels the rest.
        BufferError when an array still looks at a result's memory."""
        for job in list(self._jobs):
            if job._result is not None:
                job._result.close()
        if self._handle is not None and self._finalizer.detach() is not None:
            handle, self._handle = self._handle, None
            lib.vx_close(c.byref(handle), round(drain_s * 1000))

    def __enter__(self) -> "Vortex":
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if kind is None:
            self.close()
        else:  # views may live in the traceback: the engine closes with the last of them
            for job in list(self._jobs):
                job.cancel()


def _take(address: Optional[int]) -> str:
    if not address:
        raise MemoryError("the engine has no text to give: it is closed, or memory is short")
    text = c.string_at(address).decode("utf-8", "replace")
    lib.vx_text_free(address)
    return text
