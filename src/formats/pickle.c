#include "formats/pickle.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

/* A checkpoint of 2000 tensors makes some 40,000 nodes from 300 KB. The stack and its marks are
 * bounded like the nodes: a deflated pickle is much longer than its file. */
enum { NODES_MAX = 1 << 22, PICKLE_BYTES_MAX = 64 << 20 };

/* The names that may be called for. */
enum { GLOBAL_DICT, GLOBAL_TENSOR, GLOBAL_PARAMETER, GLOBAL_STORAGE };

static const struct {
    const char *module, *name;
    int role;
    vx_dtype dtype; /* of a storage */
} globals[] = {
    {"collections", "OrderedDict", GLOBAL_DICT, 0},
    {"torch._utils", "_rebuild_tensor_v2", GLOBAL_TENSOR, 0},
    {"torch._utils", "_rebuild_parameter", GLOBAL_PARAMETER, 0},
    {"torch", "FloatStorage", GLOBAL_STORAGE, VX_F32},
    {"torch", "HalfStorage", GLOBAL_STORAGE, VX_F16},
    {"torch", "BFloat16Storage", GLOBAL_STORAGE, VX_BF16},
    {"torch", "DoubleStorage", GLOBAL_STORAGE, VX_F64},
    {"torch", "LongStorage", GLOBAL_STORAGE, VX_I64},
    {"torch", "IntStorage", GLOBAL_STORAGE, VX_I32},
    {"torch", "ShortStorage", GLOBAL_STORAGE, VX_I16},
    {"torch", "CharStorage", GLOBAL_STORAGE, VX_I8},
    {"torch", "ByteStorage", GLOBAL_STORAGE, VX_U8},
    {"torch", "BoolStorage", GLOBAL_STORAGE, VX_BOOL},
};

/* A growing list of node numbers. */
typedef struct numbers {
    int32_t *at;
    int64_t count, room;
} numbers;

/* The machine. The stack's top part, above the innermost mark, is what opcodes may take. */
typedef struct machine {
    const vx_source *source;
    vx_pickle *p;
    const unsigned char *begin, *at, *end;
    numbers stack, marks, memo; /* marks: heights of the stack; memo: -1 where nothing is kept */
    int64_t put_count;          /* MEMOIZE numbers its entries itself */
    vx_error *err;
} machine;

static vx_status damaged(const machine *m, const char *what)
{
    return vx_source_bad(m->source, m->err, "its pickle is damaged at byte %lld: %s",
                         (long long)(m->at - m->begin), what);
}

/* The list with room for `needed` items, or NULL with the old one intact. */
static void *grow(void *list, int64_t needed, int64_t *room, size_t bytes)
{
    if (needed <= *room) return list;
    int64_t wanted = *room == 0 ? 256 : *room * 2;
    if (wanted < needed) wanted = needed;
    void *grown = vx_heap_grow(list, (size_t)wanted * bytes);
    if (grown != NULL) *room = wanted;
    return grown;
}

/* Makes room in a list or returns from the calling function. */
#define GROW(m, list, needed, room)                                                                \
    do {                                                                                           \
        void *vx_grown = grow(list, needed, &(room), sizeof *(list));                              \
        if (vx_grown == NULL) return vx_source_no_memory((m)->source, (m)->err);                   \
        (list) = vx_grown;                                                                         \
    } while (0)

static vx_status append(const machine *m, numbers *list, int32_t number)
{
    if (list->count == NODES_MAX)
        return vx_source_bad(m->source, m->err, "its pickle stacks more than %d values", NODES_MAX);
    GROW(m, list->at, list->count + 1, list->room);
    list->at[list->count++] = number;
    return VX_OK;
}

/* ---- nodes */

static vx_status push_node(machine *m, vx_node node)
{
    vx_pickle *p = m->p;
    if (p->node_count == NODES_MAX)
        return vx_source_bad(m->source, m->err, "its pickle holds more than %d values", NODES_MAX);
    GROW(m, p->nodes, p->node_count + 1, p->node_room);
    p->nodes[p->node_count] = node;
    return append(m, &m->stack, (int32_t)p->node_count++);
}

static vx_status push_whole(machine *m, vx_node_kind kind, int64_t value)
{
    return push_node(m, (vx_node){.kind = kind, .as.whole = value});
}

static vx_status push_chain(machine *m, vx_node_kind kind)
{
    return push_node(m, (vx_node){.kind = kind, .as.chain = {-1, -1}});
}

static vx_status add_cell(machine *m, int32_t chain, int32_t key, int32_t value)
{
    vx_pickle *p = m->p;
    if (p->cell_count == NODES_MAX)
        return vx_source_bad(m->source, m->err, "its pickle holds more than %d items", NODES_MAX);
    GROW(m, p->cells, p->cell_count + 1, p->cell_room);
    int32_t added = (int32_t)p->cell_count++;
    p->cells[added] = (vx_cell){key, value, -1};
    vx_node *node = &p->nodes[chain];
    if (node->as.chain.last < 0)
        node->as.chain.first = added;
    else
        p->cells[node->as.chain.last].next = added;
    node->as.chain.last = added;
    node->count++;
    return VX_OK;
}

/* ---- stack */

static int64_t bottom(const machine *m)
{
    return m->marks.count > 0 ? m->marks.at[m->marks.count - 1] : 0;
}

static vx_status pop(machine *m, int32_t *node)
{
    *node = 0;
    if (m->stack.count <= bottom(m)) return damaged(m, "the stack is empty");
    *node = m->stack.at[--m->stack.count];
    return VX_OK;
}

static vx_status top(machine *m, int32_t *node)
{
    *node = 0;
    if (m->stack.count <= bottom(m)) return damaged(m, "the stack is empty");
    assert(m->stack.at != NULL);
    *node = m->stack.at[m->stack.count - 1];
    return VX_OK;
}

/* Takes the innermost mark away; the items above it start at *first of the stack. */
static vx_status pop_mark(machine *m, int64_t *first)
{
    *first = 0;
    if (m->marks.count == 0) return damaged(m, "a mark is missing");
    *first = m->marks.at[--m->marks.count];
    return VX_OK;
}

/* ---- reading the text */

static vx_status take(machine *m, uint64_t bytes, const unsigned char **at)
{
    *at = m->at;
    if (bytes > (uint64_t)(m->end - m->at)) return damaged(m, "it breaks off");
    m->at += bytes;
    return VX_OK;
}

static vx_status take_number(machine *m, int bytes, uint64_t *value)
{
    const unsigned char *at;
    *value = 0;
    VX_TRY(take(m, (uint64_t)bytes, &at));
    for (int i = 0; i < bytes; i++)
        *value |= (uint64_t)at[i] << (8 * i);
    return VX_OK;
}

static vx_status push_text(machine *m, int length_bytes)
{
    uint64_t length;
    const unsigned char *text;
    VX_TRY(take_number(m, length_bytes, &length));
    VX_TRY(take(m, length, &text)); /* within the pickle, so below 2^31 */
    return push_node(m, (vx_node){.kind = VX_NODE_TEXT, .count = (int32_t)length, .as.text = text});
}

/* A long: two's complement of that many bytes. */
static vx_status push_long(machine *m, int length_bytes)
{
    uint64_t length;
    const unsigned char *at;
    VX_TRY(take_number(m, length_bytes, &length));
    VX_TRY(take(m, length, &at));
    if (length > 8) return push_whole(m, VX_NODE_BIG_INT, 0);
    uint64_t value = length > 0 && at[length - 1] >= 128 ? UINT64_MAX : 0;
    for (uint64_t i = length; i-- > 0;)
        value = value << 8 | at[i];
    return push_whole(m, VX_NODE_INT, (int64_t)value);
}

static vx_status push_float(machine *m)
{
    const unsigned char *at;
    uint64_t bits = 0;
    VX_TRY(take(m, 8, &at));
    for (int i = 0; i < 8; i++) /* the one big-endian number of the format */
        bits = bits << 8 | at[i];
    vx_node node = {.kind = VX_NODE_FLOAT};
    memcpy(&node.as.real, &bits, sizeof bits);
    return push_node(m, node);
}

static bool is_text(const unsigned char *text, size_t bytes, const char *word)
{
    return bytes == strlen(word) && memcmp(text, word, bytes) == 0;
}

static vx_status push_global(machine *m, const unsigned char *module, size_t module_bytes,
                             const unsigned char *name, size_t name_bytes)
{
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (is_text(module, module_bytes, globals[i].module) &&
            is_text(name, name_bytes, globals[i].name))
            return push_whole(m, VX_NODE_GLOBAL, (int64_t)i);
    char shown_module[VX_SHOWN], shown_name[VX_SHOWN];
    return vx_source_bad(m->source, m->err,
                         "it asks for the Python object %s.%s, which is never run here; load it "
                         "in PyTorch if you trust it and save its state_dict() as safetensors",
                         vx_source_shown(shown_module, (const char *)module, module_bytes),
                         vx_source_shown(shown_name, (const char *)name, name_bytes));
}

static vx_status take_line(machine *m, const unsigned char **line, size_t *bytes)
{
    const unsigned char *newline = memchr(m->at, '\n', (size_t)(m->end - m->at));
    *line = m->at;
    *bytes = newline != NULL ? (size_t)(newline - m->at) : 0;
    if (newline == NULL) return damaged(m, "it breaks off");
    m->at = newline + 1;
    return VX_OK;
}

static vx_status op_global(machine *m)
{
    const unsigned char *module, *name;
    size_t module_bytes, name_bytes;
    VX_TRY(take_line(m, &module, &module_bytes));
    VX_TRY(take_line(m, &name, &name_bytes));
    return push_global(m, module, module_bytes, name, name_bytes);
}

static vx_status op_stack_global(machine *m)
{
    int32_t name, module;
    VX_TRY(pop(m, &name));
    VX_TRY(pop(m, &module));
    const vx_node *n = &m->p->nodes[name], *k = &m->p->nodes[module];
    if (n->kind != VX_NODE_TEXT || k->kind != VX_NODE_TEXT) return damaged(m, "a name is not text");
    return push_global(m, k->as.text, (size_t)k->count, n->as.text, (size_t)n->count);
}

/* ---- collections */

static vx_status op_tuple(machine *m, int64_t count)
{
    if (m->stack.count - bottom(m) < count) return damaged(m, "the stack is empty");
    int64_t first = m->stack.count - count;
    VX_TRY(push_chain(m, VX_NODE_TUPLE));
    assert(m->stack.at != NULL);
    int32_t tuple = m->stack.at[m->stack.count - 1];
    for (int64_t i = 0; i < count; i++)
        VX_TRY(add_cell(m, tuple, -1, m->stack.at[first + i]));
    m->stack.count = first;
    return append(m, &m->stack, tuple);
}

static vx_status op_marked_tuple(machine *m)
{
    int64_t first;
    VX_TRY(pop_mark(m, &first));
    return op_tuple(m, m->stack.count - first);
}

/* The items from `first` up go into the list or dict below them. */
static vx_status add_items(machine *m, int64_t first, vx_node_kind kind)
{
    if (first <= bottom(m)) return damaged(m, "the stack is empty");
    assert(m->stack.at != NULL);
    int32_t chain = m->stack.at[first - 1];
    if (m->p->nodes[chain].kind != kind) return damaged(m, "an item has no list or dict");
    int step = kind == VX_NODE_DICT ? 2 : 1;
    if ((m->stack.count - first) % step != 0) return damaged(m, "a key has no value");
    for (int64_t i = first; i < m->stack.count; i += step)
        VX_TRY(step == 2 ? add_cell(m, chain, m->stack.at[i], m->stack.at[i + 1])
                         : add_cell(m, chain, -1, m->stack.at[i]));
    m->stack.count = first;
    return VX_OK;
}

static vx_status op_marked_items(machine *m, vx_node_kind kind)
{
    int64_t first;
    VX_TRY(pop_mark(m, &first));
    return add_items(m, first, kind);
}

/* ---- storages and tensors */

/* The first `most` items of a tuple as node numbers; the count, or -1 when it is no tuple. */
static int unpack(const machine *m, int32_t tuple, int most, int32_t *items)
{
    const vx_node *node = &m->p->nodes[tuple];
    if (node->kind != VX_NODE_TUPLE && node->kind != VX_NODE_LIST) return -1;
    int count = 0;
    for (int32_t cell = node->as.chain.first; cell >= 0 && count < most;
         cell = m->p->cells[cell].next)
        items[count++] = m->p->cells[cell].value;
    return node->count;
}

static bool get_int(const machine *m, int32_t number, int64_t *value)
{
    const vx_node *node = &m->p->nodes[number];
    *value = node->as.whole;
    return node->kind == VX_NODE_INT;
}

/* ('storage', storage class, key, location, elements) */
static vx_status op_persistent(machine *m)
{
    int32_t id, item[5] = {0};
    VX_TRY(pop(m, &id));
    if (unpack(m, id, 5, item) != 5) return damaged(m, "a storage is not described as expected");
    const vx_node *tag = &m->p->nodes[item[0]], *type = &m->p->nodes[item[1]],
                  *key = &m->p->nodes[item[2]];
    vx_storage storage;
    if (tag->kind != VX_NODE_TEXT || !is_text(tag->as.text, (size_t)tag->count, "storage") ||
        type->kind != VX_NODE_GLOBAL || globals[type->as.whole].role != GLOBAL_STORAGE ||
        key->kind != VX_NODE_TEXT || !get_int(m, item[4], &storage.elements) ||
        storage.elements < 0)
        return damaged(m, "a storage is not described as expected");
    storage.key = key->as.text;
    storage.key_bytes = key->count;
    storage.dtype = globals[type->as.whole].dtype;
    vx_pickle *p = m->p;
    GROW(m, p->storages, p->storage_count + 1, p->storage_room);
    p->storages[p->storage_count] = storage;
    return push_whole(m, VX_NODE_STORAGE, p->storage_count++);
}

/* (storage, offset, sizes, strides, requires_grad, hooks[, metadata]) */
static vx_status call_tensor(machine *m, int32_t args)
{
    int32_t item[4] = {0}, size[VX_SOURCE_RANK_MAX] = {0}, stride[VX_SOURCE_RANK_MAX] = {0};
    vx_pickle_tensor t = {0};
    int given = unpack(m, args, 4, item);
    if (given < 6 || given > 7) return damaged(m, "a tensor is not described as expected");
    t.rank = unpack(m, item[2], VX_SOURCE_RANK_MAX, size);
    bool good = m->p->nodes[item[0]].kind == VX_NODE_STORAGE && get_int(m, item[1], &t.offset) &&
                t.rank >= 0 && t.rank <= VX_SOURCE_RANK_MAX &&
                unpack(m, item[3], VX_SOURCE_RANK_MAX, stride) == t.rank;
    for (int i = 0; good && i < t.rank; i++)
        good = get_int(m, size[i], &t.dim[i]) && get_int(m, stride[i], &t.stride[i]);
    if (!good) return damaged(m, "a tensor is not described as expected");
    t.storage = (int32_t)m->p->nodes[item[0]].as.whole;
    vx_pickle *p = m->p;
    GROW(m, p->tensors, p->tensor_count + 1, p->tensor_room);
    p->tensors[p->tensor_count] = t;
    return push_whole(m, VX_NODE_TENSOR, p->tensor_count++);
}

static vx_status op_reduce(machine *m)
{
    int32_t args, callee, item[1] = {0};
    VX_TRY(pop(m, &args));
    VX_TRY(pop(m, &callee));
    const vx_node *node = &m->p->nodes[callee];
    int given = unpack(m, args, 1, item);
    if (node->kind != VX_NODE_GLOBAL || given < 0) return damaged(m, "a call has no callee");
    switch (globals[node->as.whole].role) {
    case GLOBAL_DICT:
        if (given != 0) return damaged(m, "an OrderedDict is made in an unknown way");
        return push_chain(m, VX_NODE_DICT);
    case GLOBAL_TENSOR:
        return call_tensor(m, args);
    case GLOBAL_PARAMETER:
        if (given != 3 || m->p->nodes[item[0]].kind != VX_NODE_TENSOR)
            return damaged(m, "a parameter is not described as expected");
        return append(m, &m->stack, item[0]);
    default:
        return damaged(m, "a storage class is called");
    }
}

/* Attributes of an OrderedDict (a state_dict's _metadata) say nothing about its tensors. */
static vx_status op_build(machine *m)
{
    int32_t state, object;
    VX_TRY(pop(m, &state));
    VX_TRY(top(m, &object));
    if (m->p->nodes[object].kind != VX_NODE_DICT)
        return damaged(m, "attributes are given to something that has none");
    return VX_OK;
}

/* ---- memo */

static vx_status memo_put(machine *m, uint64_t index)
{
    int32_t node;
    VX_TRY(top(m, &node));
    /* A pickle numbers its entries without gaps, from 0 or 1, and no value twice. */
    if (index > (uint64_t)m->p->node_count) return damaged(m, "a memo number is too large");
    int64_t needed = (int64_t)index + 1;
    GROW(m, m->memo.at, needed, m->memo.room);
    while (m->memo.count < needed)
        m->memo.at[m->memo.count++] = -1;
    m->memo.at[index] = node;
    m->put_count++;
    return VX_OK;
}

static vx_status memo_get(machine *m, uint64_t index)
{
    if (index >= (uint64_t)m->memo.count || m->memo.at[index] < 0)
        return damaged(m, "it refers to a value that was not kept");
    return append(m, &m->stack, m->memo.at[index]);
}

/* ---- opcodes */

static vx_status skip_mark(machine *m)
{
    int64_t first;
    VX_TRY(pop_mark(m, &first));
    m->stack.count = first;
    return VX_OK;
}

/* Opcodes that carry a number of `bytes` bytes. */
static vx_status step_number(machine *m, unsigned char op, int bytes)
{
    uint64_t value;
    VX_TRY(take_number(m, bytes, &value));
    switch (op) {
    case 0x80: /* PROTO */
        return value <= 5 ? VX_OK : damaged(m, "its protocol is unknown");
    case 0x95: /* FRAME */
        return VX_OK;
    case 'J': /* BININT */
        return push_whole(m, VX_NODE_INT, (int32_t)value);
    case 'K': /* BININT1 */
    case 'M': /* BININT2 */
        return push_whole(m, VX_NODE_INT, (int64_t)value);
    case 'h': /* BINGET */
    case 'j': /* LONG_BINGET */
        return memo_get(m, value);
    default: /* BINPUT, LONG_BINPUT */
        return memo_put(m, value);
    }
}

static vx_status step_collection(machine *m, unsigned char op)
{
    int32_t dropped;
    switch (op) {
    case ')': /* EMPTY_TUPLE */
        return op_tuple(m, 0);
    case 0x85: /* TUPLE1, 2, 3 */
    case 0x86:
    case 0x87:
        return op_tuple(m, op - 0x84);
    case 't': /* TUPLE */
        return op_marked_tuple(m);
    case ']': /* EMPTY_LIST */
        return push_chain(m, VX_NODE_LIST);
    case '}': /* EMPTY_DICT */
        return push_chain(m, VX_NODE_DICT);
    case 'a': /* APPEND */
        return add_items(m, m->stack.count - 1, VX_NODE_LIST);
    case 'e': /* APPENDS */
        return op_marked_items(m, VX_NODE_LIST);
    case 's': /* SETITEM */
        return add_items(m, m->stack.count - 2, VX_NODE_DICT);
    case 'u': /* SETITEMS */
        return op_marked_items(m, VX_NODE_DICT);
    case '(': /* MARK */
        return append(m, &m->marks, (int32_t)m->stack.count);
    case '0': /* POP */
        return m->stack.count > bottom(m) ? pop(m, &dropped) : skip_mark(m);
    default: /* POP_MARK */
        return skip_mark(m);
    }
}

static vx_status step(machine *m, unsigned char op)
{
    switch (op) {
    case 0x80:
    case 'K':
    case 'h':
    case 'q': /* BINPUT */
        return step_number(m, op, 1);
    case 'M':
        return step_number(m, op, 2);
    case 'J':
    case 'j':
    case 'r': /* LONG_BINPUT */
        return step_number(m, op, 4);
    case 0x95:
        return step_number(m, op, 8);
    case 0x94: /* MEMOIZE */
        return memo_put(m, (uint64_t)m->put_count);
    case ')':
    case 0x85:
    case 0x86:
    case 0x87:
    case 't':
    case ']':
    case '}':
    case 'a':
    case 'e':
    case 's':
    case 'u':
    case '(':
    case '0':
    case '1':
        return step_collection(m, op);
    case 'N': /* NONE */
        return push_whole(m, VX_NODE_NONE, 0);
    case 0x88: /* NEWTRUE, NEWFALSE */
    case 0x89:
        return push_whole(m, VX_NODE_BOOL, op == 0x88);
    case 0x8a: /* LONG1 */
        return push_long(m, 1);
    case 0x8b: /* LONG4 */
        return push_long(m, 4);
    case 'G': /* BINFLOAT */
        return push_float(m);
    case 'U':  /* SHORT_BINSTRING, Python 2 */
    case 0x8c: /* SHORT_BINUNICODE */
        return push_text(m, 1);
    case 'X': /* BINUNICODE */
        return push_text(m, 4);
    case 0x8d: /* BINUNICODE8 */
        return push_text(m, 8);
    case 'c': /* GLOBAL */
        return op_global(m);
    case 0x93: /* STACK_GLOBAL */
        return op_stack_global(m);
    case 'Q': /* BINPERSID */
        return op_persistent(m);
    case 'R': /* REDUCE */
        return op_reduce(m);
    case 'b': /* BUILD */
        return op_build(m);
    default:
        return vx_source_bad(m->source, m->err,
                             "its pickle uses opcode 0x%02x, which a checkpoint does not need; "
                             "save the state_dict() as safetensors",
                             op);
    }
}

vx_status vx_pickle_run(const vx_source *source, const unsigned char *bytes, size_t size,
                        vx_pickle *pickle, vx_error *err)
{
    *pickle = (vx_pickle){0};
    if (size > PICKLE_BYTES_MAX)
        return vx_source_bad(source, err, "its pickle has %zu bytes, at most %d are read", size,
                             PICKLE_BYTES_MAX);
    machine m = {.source = source,
                 .p = pickle,
                 .begin = bytes,
                 .at = bytes,
                 .end = bytes + size,
                 .err = err};
    vx_status status = VX_OK;
    while (status == VX_OK) {
        if (m.at == m.end) {
            status = damaged(&m, "it breaks off");
        } else {
            unsigned char op = *m.at++;
            if (op == '.') { /* STOP */
                status = pop(&m, &pickle->root);
                break;
            }
            status = step(&m, op);
        }
    }
    vx_heap_free(m.stack.at);
    vx_heap_free(m.marks.at);
    vx_heap_free(m.memo.at);
    return status;
}

void vx_pickle_close(vx_pickle *pickle)
{
    vx_heap_free(pickle->nodes);
    vx_heap_free(pickle->cells);
    vx_heap_free(pickle->storages);
    vx_heap_free(pickle->tensors);
    *pickle = (vx_pickle){0};
}
