"""include/vortex/vortex.h, VORTEX_API 4, as ctypes sees it. tests/python checks the layouts."""

from __future__ import annotations

import ctypes as c
import ctypes.util
import os

API = 4

FILM, SPEECH, PICTURE, ANIMATION, SCORE = range(5)
OK, DEADLINE = 0, -6


class Error(c.Structure):
    _fields_ = [
        ("status", c.c_int),
        ("line", c.c_int),
        ("code", c.c_char * 32),
        ("file", c.c_char * 256),
        ("message", c.c_char * 768),
    ]


class LogLine(c.Structure):
    _fields_ = [
        ("level", c.c_int),
        ("message", c.c_char_p),
        ("slot", c.c_char_p),
        ("stage", c.c_char_p),
    ]


class Frame(c.Structure):
    _fields_ = [
        ("rgb", c.c_void_p),
        ("width", c.c_int),
        ("height", c.c_int),
        ("stride", c.c_ssize_t),
    ]


class Interval(c.Structure):
    _fields_ = [("start", c.c_int64), ("end", c.c_int64)]


class Word(c.Structure):
    _fields_ = [
        ("text", c.c_void_p),
        ("text_bytes", c.c_int64),
        ("start", c.c_int64),
        ("end", c.c_int64),
    ]


class StageTime(c.Structure):
    _fields_ = [
        ("name", c.c_char_p),
        ("start_s", c.c_double),
        ("end_s", c.c_double),
        ("peak_bytes", c.c_size_t),
    ]


ON_LOAD = c.CFUNCTYPE(None, c.c_void_p, c.c_char_p, c.c_double)
ON_LOG = c.CFUNCTYPE(None, c.c_void_p, c.POINTER(LogLine))
ON_PROGRESS = c.CFUNCTYPE(None, c.c_void_p, c.c_char_p, c.c_double)
ON_FRAME = c.CFUNCTYPE(None, c.c_void_p, c.c_int64, c.POINTER(Frame))
ON_SOUND = c.CFUNCTYPE(
    None, c.c_void_p, c.c_int64, c.c_void_p, c.c_int64, c.POINTER(Word), c.c_int64
)
ON_PICTURE = c.CFUNCTYPE(None, c.c_void_p, c.POINTER(Frame))
ON_WRITE = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_size_t)
ON_ENDED = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p)


class SubmitParams(c.Structure):
    _fields_ = [
        ("recipe", c.c_char_p),
        ("text", c.c_char_p),
        ("text_bytes", c.c_size_t),
        ("folder", c.c_char_p),
        ("path", c.c_char_p),
        ("sheet", c.c_char_p),
        ("has_seed", c.c_bool),
        ("seed", c.c_int64),
        ("deadline_ms", c.c_int64),
        ("progress", ON_PROGRESS),
        ("frame", ON_FRAME),
        ("arg", c.c_void_p),
        ("loudness", c.c_double),
        ("subtitles", c.c_char_p),
        ("srt", c.c_char_p),
        ("vtt", c.c_char_p),
        ("kind", c.c_int),
        ("priority", c.c_int),
        ("confined", c.c_bool),
        ("image", c.c_void_p),
        ("image_bytes", c.c_size_t),
        ("actor", c.c_char_p),
        ("audio", c.c_char_p),
        ("timings", c.c_char_p),
        ("motion", c.c_char_p),
        ("sound", ON_SOUND),
        ("picture", ON_PICTURE),
        ("write", ON_WRITE),
        ("ended", ON_ENDED),
    ]


class OpenParams(c.Structure):
    _fields_ = [
        ("settings", c.c_char_p),
        ("pack", c.c_char_p),
        ("device", c.c_char_p),
        ("threads", c.c_int),
        ("only", c.POINTER(SubmitParams)),
        ("progress", ON_LOAD),
        ("progress_arg", c.c_void_p),
        ("cancel", c.c_void_p),
        ("log", ON_LOG),
        ("log_arg", c.c_void_p),
        ("log_level", c.c_char_p),
        ("only_count", c.c_size_t),
    ]


class Result(c.Structure):
    _fields_ = [
        ("outcome", c.c_char_p),
        ("error", Error),
        ("report", c.c_char_p),
        ("path", c.c_char_p),
        ("stages", c.POINTER(StageTime)),
        ("stage_count", c.c_int),
        ("samples", c.c_void_p),
        ("sample_count", c.c_int64),
        ("sample_rate", c.c_int),
        ("symbol", c.c_void_p),
        ("symbol_times", c.POINTER(Interval)),
        ("symbol_count", c.c_int64),
        ("frames", c.c_int64),
        ("fps", c.c_int),
        ("key_frames", c.POINTER(Frame)),
        ("key_frame_count", c.c_int),
        ("verified", c.c_bool),
        ("passed", c.c_bool),
        ("outlier", c.c_bool),
        ("score_b", c.c_double),
        ("score_l", c.c_double),
        ("score_ensemble", c.c_double),
        ("embedding_b", c.c_void_p),
        ("embedding_l", c.c_void_p),
        ("embedding_b_count", c.c_int),
        ("embedding_l_count", c.c_int),
        ("bytes", c.c_size_t),
        ("kind", c.c_int),
        ("picture", c.POINTER(Frame)),
        ("words", c.POINTER(Word)),
        ("word_count", c.c_int64),
    ]


def _find() -> c.CDLL:
    """VORTEX_LIBRARY, else the system's; a library that is too old is refused by name."""
    named = os.environ.get("VORTEX_LIBRARY")
    tried = []
    for name in [named] if named else ["libvortex.so.0", ctypes.util.find_library("vortex")]:
        if name is None:
            continue
        try:
            library = c.CDLL(name)
        except OSError as problem:
            tried.append(str(problem))
            continue
        has = library.vx_api() if hasattr(library, "vx_api") else 1
        if has < API:
            raise ImportError(
                f"{name} has version {has} of the interface and {API} is needed; "
                "install a newer Vortex"
            )
        return library
    raise ImportError(
        "libvortex.so.0 was not found: " + "; ".join(tried or ["no such library"]) + ". Install "
        "Vortex (its Debian package, or 'cmake --install' and ldconfig), or name the file in "
        "VORTEX_LIBRARY"
    )


lib = _find()


def _declare(name: str, result: object, *arguments: object) -> None:
    function = getattr(lib, name)
    function.restype = result
    function.argtypes = list(arguments)


_error = c.POINTER(Error)
_handle = c.POINTER(c.c_void_p)
_declare("vx_version", c.c_char_p)
_declare("vx_open_api", c.c_int, _handle, c.POINTER(OpenParams), _error, c.c_int)
_declare("vx_close", None, _handle, c.c_int64)
_declare("vx_cancel_new", c.c_void_p)
_declare("vx_cancel_set", None, c.c_void_p)
_declare("vx_cancel_free", None, _handle)
for _name in ("vx_metrics_text", "vx_plan_json", "vx_voices_json", "vx_info_json"):
    _declare(_name, c.c_void_p, c.c_void_p)
_declare("vx_text_free", None, c.c_void_p)
_declare(
    "vx_submit_api", c.c_int, c.c_void_p, c.POINTER(SubmitParams), _handle, _error, c.c_int
)
_declare(
    "vx_check_api", c.c_int, c.c_void_p, c.POINTER(SubmitParams), _handle, _error, c.c_int
)
_declare("vx_job_poll", c.c_int, c.c_void_p)
_declare("vx_job_wait", c.c_int, c.c_void_p, c.c_int64)
_declare("vx_job_cancel", None, c.c_void_p)
_declare("vx_job_position", c.c_int, c.c_void_p, c.POINTER(c.c_double))
_declare("vx_job_result", c.POINTER(Result), c.c_void_p)
_declare("vx_job_release", None, c.c_void_p)
_declare("vx_job_free", None, _handle)
