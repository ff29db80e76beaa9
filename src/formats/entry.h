/* What a pack's `files` name: a weight file, an index of shards, or a folder.
 *
 *     FILE                            itself
 *     NAME.safetensors.index.json     transformers' and diffusers' index, {"weight_map": {tensor:
 *                                     file}}; its shards lie beside it
 *     FOLDER                          its only index, else its only safetensors file, else its only
 *                                     other weight file (.gguf .pth .pt .bin .onnx); two of a kind
 *                                     are refused by name */
#ifndef VX_FORMATS_ENTRY_H
#define VX_FORMATS_ENTRY_H

#include "formats/source.h"

enum { VX_ENTRY_PATH_MAX = 4096 };

/* The file that an entry stands for: itself, or what a folder holds. VX_ERR_INPUT when a folder
 * leaves no choice or too much of it; VX_ERR_MISSING or VX_ERR_IO when it can't be looked into. */
vx_status vx_entry_file(const char *path, char file[VX_ENTRY_PATH_MAX], vx_error *err);

/* Opens the entry's files at sources[*count], sources[*count + 1], …; *count grows by those that
 * are open, also after a failure: the caller closes them. `room` is how many *count may reach. */
vx_status vx_entry_open(const char *path, vx_source **sources, int room, int *count, vx_error *err);

/* Bytes of all its files on disk; -1 when one is not there. */
int64_t vx_entry_bytes(const char *path);

#endif
