/* GGUF's numbers, shared by the reader and the writer. Source: gguf.md of the ggml project. */
#ifndef VX_FORMATS_GGUF_H
#define VX_FORMATS_GGUF_H

#include "tensor/dtype.h"

enum { VX_GGUF_VERSION = 3, VX_GGUF_ALIGNMENT = 32 };

/* ggml's number of a dtype, or -1; and back. */
int vx_gguf_type(vx_dtype dtype);
int vx_gguf_dtype(uint32_t type);

#endif
