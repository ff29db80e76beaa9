/* Where the published int8 ONNX file of Kokoro-82M keeps each official tensor.
 *
 * The file: kokoro-v1.0.int8.onnx of kokoro-onnx (github.com/thewh1teagle/kokoro-onnx), 92,361,271
 * bytes. Its initialisers carry the exporter's counters for names and equal zero points share one
 * initialiser, so the table holds for this one file only. */
#ifndef VX_KOKORO_ONNX_NAMES_H
#define VX_KOKORO_ONNX_NAMES_H

#include <stddef.h>

typedef enum vx_kokoro_onnx_kind {
    VX_KOKORO_ONNX_COPY,         /* f32 in the official order */
    VX_KOKORO_ONNX_SCALAR,       /* (q - zero) * scale, official order, one scale */
    VX_KOKORO_ONNX_LINEAR,       /* q [in, out], a scale and a zero point per output */
    VX_KOKORO_ONNX_LSTM_WEIGHT,  /* q [2, in, 4H], gates i, o, f, c; a scale per direction */
    VX_KOKORO_ONNX_LSTM_BIAS_IH, /* f32 [2, 8H], the first half of a direction's row */
    VX_KOKORO_ONNX_LSTM_BIAS_HH  /* the second half */
} vx_kokoro_onnx_kind;

typedef struct vx_kokoro_onnx_name {
    const char *name;         /* official, weight norm folded, without ".module" */
    const char *initialiser;  /* the file's */
    const char *scale, *zero; /* NULL where nothing is quantised */
    vx_kokoro_onnx_kind kind;
    int direction; /* LSTM: 0 forward, 1 backward */
} vx_kokoro_onnx_name;

extern const char vx_kokoro_onnx_sha256[65];
/* Sorted by name (bytewise). */
extern const int vx_kokoro_onnx_count;
extern const vx_kokoro_onnx_name vx_kokoro_onnx_names[];

#endif
