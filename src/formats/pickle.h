/* A pickle reader that can build what a checkpoint consists of, and nothing else.
 *
 * It runs the stack machine of Python's pickle (protocols 2 to 5) over nodes of its own: None,
 * booleans, numbers, text, lists, tuples, dicts, PyTorch storages and tensors. The only callables
 * it knows are those that make an OrderedDict, a tensor or a parameter; any other global name is
 * refused by that name when it is called for, so no code can be reached. Memory is bounded by the
 * length of the pickle: each opcode makes at most one node, and what is shared stays shared. */
#ifndef VX_FORMATS_PICKLE_H
#define VX_FORMATS_PICKLE_H

#include "formats/source_impl.h"

typedef enum vx_node_kind {
    VX_NODE_NONE,
    VX_NODE_BOOL,
    VX_NODE_INT,
    VX_NODE_BIG_INT, /* beyond int64; its value is not kept */
    VX_NODE_FLOAT,
    VX_NODE_TEXT,
    VX_NODE_LIST,
    VX_NODE_TUPLE,
    VX_NODE_DICT,
    VX_NODE_GLOBAL,  /* one of the known names */
    VX_NODE_STORAGE, /* a row of vx_pickle.storages */
    VX_NODE_TENSOR   /* a row of vx_pickle.tensors */
} vx_node_kind;

/* A value. Lists, tuples and dicts are chains of cells. */
typedef struct vx_node {
    vx_node_kind kind;
    int32_t count; /* of cells, or bytes of text */
    union {
        int64_t whole; /* BOOL, INT; GLOBAL, STORAGE and TENSOR: a row number */
        double real;
        const unsigned char *text; /* UTF-8 as found, unchecked */
        struct {
            int32_t first, last; /* cells, -1 for none */
        } chain;
    } as;
} vx_node;

/* One item of a chain: node numbers. key is -1 in lists and tuples. */
typedef struct vx_cell {
    int32_t key, value, next;
} vx_cell;

/* A file of raw elements in the archive. */
typedef struct vx_storage {
    const unsigned char *key; /* its name */
    int32_t key_bytes;
    vx_dtype dtype;
    int64_t elements;
} vx_storage;

/* A view of a storage, as claimed: shapes and extents are unchecked, but rank and stride count fit.
 */
typedef struct vx_pickle_tensor {
    int32_t storage;
    int rank;
    int64_t offset; /* in elements */
    int64_t dim[VX_SOURCE_RANK_MAX], stride[VX_SOURCE_RANK_MAX];
} vx_pickle_tensor;

/* The result; lists grow on the heap. */
typedef struct vx_pickle {
    vx_node *nodes;
    vx_cell *cells;
    vx_storage *storages;
    vx_pickle_tensor *tensors;
    int64_t node_count, node_room, cell_count, cell_room;
    int64_t storage_count, storage_room, tensor_count, tensor_room;
    int32_t root; /* node number */
} vx_pickle;

/* Runs the pickle. Close the result also after a failure. Texts point into `bytes`. */
vx_status vx_pickle_run(const vx_source *source, const unsigned char *bytes, size_t size,
                        vx_pickle *pickle, vx_error *err);
void vx_pickle_close(vx_pickle *pickle);

#endif
