#include "models/face/face.h"

#include "base/mem.h"
#include "models/face/parts.h"

/* Cells of the small map that the large one's cells lie in, with a border that repeats it. */
static int32_t *repeat_of(int side)
{
    int wide = side + 2;
    int32_t *at = vx_heap_alloc(sizeof *at * (size_t)(wide * wide));
    for (int i = 0; at != NULL && i < wide * wide; i++) {
        int y = i / wide - 1, x = i % wide - 1;
        y = y < 0 ? 0 : y >= side ? side - 1 : y;
        x = x < 0 ? 0 : x >= side ? side - 1 : x;
        at[i] = y / 2 * (side / 2) + x / 2;
    }
    return at;
}

vx_status vx_face_open(vx_face **out, vx_error *err)
{
    const size_t cells = (size_t)VX_FACE_GRID * VX_FACE_GRID;
    vx_face *f = *out = vx_heap_alloc(sizeof **out);
    bool whole = f != NULL;
    for (int i = 0; i < VX_FINDER_LEVELS && f != NULL; i++)
        whole &= (f->repeat[i] = repeat_of(vx_finder_levels[i].side)) != NULL;
    if (f != NULL) {
        whole &= (f->cells = vx_heap_alloc(cells * VX_FACE_COLUMNS * sizeof *f->cells)) != NULL;
        whole &= (f->seen = vx_heap_alloc(cells * sizeof *f->seen)) != NULL;
    }
    if (whole) return VX_OK;
    vx_face_close(out);
    return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the face finder");
}

void vx_face_close(vx_face **model)
{
    vx_face *f = *model;
    if (f == NULL) return;
    for (int i = 0; i < VX_FINDER_LEVELS; i++)
        vx_heap_free(f->repeat[i]);
    vx_heap_free(f->cells);
    vx_heap_free(f->seen);
    vx_heap_free(f);
    *model = NULL;
}
