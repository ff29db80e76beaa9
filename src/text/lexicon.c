#include "text/lexicon.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "text/utf8.h"

enum {
    FILE_BYTES_MAX = 64 << 20, /* the published files have 3 to 4 MB */
    WORD_BYTES_MAX = 255,      /* published: 45 */
    VALUE_BYTES_MAX = 255,     /* published: 110 bytes in 53 code points */
    PROBES_MAX = 4096,         /* a table as full as ours needs some 100; more is an attack */
    MARK_TAGGED = 1,
    MARK_NULL = 2
};

struct vx_lexicon {
    char *packed;
    uint32_t *table; /* offset + 1 of an entry, 0 for a free place */
    uint32_t mask;   /* places - 1, a power of two */
    size_t count;
};

/* FNV-1a, which is good enough for words and has no state to seed. */
static uint32_t hash_word(const char *word, size_t length)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)word[i]) * 16777619u;
    return h ^ h >> 15;
}

/* The scanner reads at `in` and packs at `out`, which never overtakes it. */
typedef struct scanner {
    const char *path;
    char *text;
    size_t in, out, length;
    int line;
    vx_error *err;
} scanner;

static vx_status bad(const scanner *s, const char *what)
{
    return vx_fail_at(s->err, VX_ERR_INPUT, "bad_lexicon", s->path, s->line,
                      "%s, line %d: %s; this is no pronunciation lexicon: fetch the file again",
                      s->path, s->line, what);
}

static char skip_space(scanner *s)
{
    for (; s->in < s->length; s->in++) {
        char c = s->text[s->in];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') return c;
        s->line += c == '\n';
    }
    return '\0';
}

static vx_status expect(scanner *s, char c, const char *what)
{
    if (skip_space(s) != c || s->in >= s->length) return bad(s, what);
    s->in++;
    return VX_OK;
}

static int hex4(const char *text)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'                 ? c - '0'
                    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                         : -1;
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* What follows a backslash, as a code point; in stands behind it afterwards. */
static vx_status read_escape(scanner *s, uint32_t *cp)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (s->in >= s->length) return bad(s, "a string without an end");
    char c = s->text[s->in++];
    const char *found = c != '\0' ? strchr(names, c) : NULL;
    if (found != NULL) {
        *cp = (unsigned char)values[found - names];
        return VX_OK;
    }
    int high = c == 'u' && s->length - s->in >= 4 ? hex4(s->text + s->in) : -1;
    if (high < 0) return bad(s, "an unknown escape");
    s->in += 4;
    *cp = (uint32_t)high;
    if (high < 0xD800 || high > 0xDFFF) return VX_OK;
    int low = s->length - s->in >= 6 && memcmp(s->text + s->in, "\\u", 2) == 0
                  ? hex4(s->text + s->in + 2)
                  : -1;
    if (high > 0xDBFF || low < 0xDC00 || low > 0xDFFF) return bad(s, "half a surrogate pair");
    s->in += 6;
    *cp = 0x10000 + (((uint32_t)high & 0x3FF) << 10) + ((uint32_t)low & 0x3FF);
    return VX_OK;
}

/* Packs a string and its NUL. Empty and overlong strings and control characters are refused. */
static vx_status pack_string(scanner *s, size_t bytes_max)
{
    VX_TRY(expect(s, '"', "no string where one must be"));
    size_t first = s->out;
    for (;;) {
        if (s->in >= s->length) return bad(s, "a string without an end");
        if (s->text[s->in] == '"') break;
        uint32_t cp;
        size_t n = vx_utf8_decode(s->text + s->in, s->length - s->in, &cp);
        if (n == 0) return bad(s, "bytes that are not UTF-8");
        s->in += n;
        if (cp == '\\') VX_TRY(read_escape(s, &cp));
        if (cp < 0x20 || cp == 0x7F) return bad(s, "a control character in a string");
        s->out += vx_utf8_encode(cp, s->text + s->out);
        if (s->out - first > bytes_max) return bad(s, "an overlong string");
    }
    if (s->out == first) return bad(s, "an empty string");
    s->in++;
    s->text[s->out++] = '\0';
    assert(s->out < s->in);
    return VX_OK;
}

static vx_status pack_tags(scanner *s)
{
    s->in++;
    s->text[s->out++] = MARK_TAGGED;
    bool has_default = false;
    do {
        const char *tag = s->text + s->out;
        VX_TRY(pack_string(s, WORD_BYTES_MAX));
        has_default |= strcmp(tag, "DEFAULT") == 0;
        VX_TRY(expect(s, ':', "no colon"));
        if (skip_space(s) == 'n' && s->length - s->in >= 4 &&
            memcmp(s->text + s->in, "null", 4) == 0) {
            s->in += 4;
            s->text[s->out++] = MARK_NULL;
            s->text[s->out++] = '\0';
        } else {
            VX_TRY(pack_string(s, VALUE_BYTES_MAX));
        }
    } while (skip_space(s) == ',' && s->in++ < s->length);
    VX_TRY(expect(s, '}', "no comma and no closing brace"));
    if (!has_default) return bad(s, "a word with parts of speech and no DEFAULT");
    s->text[s->out++] = '\0';
    assert(s->out <= s->in);
    return VX_OK;
}

static const char *skip_value(const char *value)
{
    if (*value != MARK_TAGGED) return value + strlen(value) + 1;
    for (value++; *value != '\0';) {
        value += strlen(value) + 1; /* tag */
        value += strlen(value) + 1; /* phonemes or null */
    }
    return value + 1;
}

static vx_status pack_file(scanner *s, size_t *count)
{
    VX_TRY(expect(s, '{', "no opening brace"));
    *count = 0;
    if (skip_space(s) == '}') return bad(s, "no entry");
    do {
        VX_TRY(pack_string(s, WORD_BYTES_MAX));
        VX_TRY(expect(s, ':', "no colon"));
        if (skip_space(s) == '{')
            VX_TRY(pack_tags(s));
        else
            VX_TRY(pack_string(s, VALUE_BYTES_MAX));
        (*count)++;
    } while (skip_space(s) == ',' && s->in++ < s->length);
    VX_TRY(expect(s, '}', "no comma and no closing brace"));
    skip_space(s);
    return s->in == s->length ? VX_OK : bad(s, "text after the closing brace");
}

static uint32_t *find_place(const vx_lexicon *lexicon, const char *word, size_t length)
{
    uint32_t i = hash_word(word, length) & lexicon->mask;
    for (; lexicon->table[i] != 0; i = (i + 1) & lexicon->mask) {
        const char *entry = lexicon->packed + lexicon->table[i] - 1;
        if (strncmp(entry, word, length) == 0 && entry[length] == '\0') break;
    }
    return &lexicon->table[i];
}

/* As in JSON, the last of several entries for one word counts. */
static vx_status build_table(vx_lexicon *lexicon, const char *path, size_t entries, vx_error *err)
{
    uint32_t places = 16;
    while (places < entries * 3 / 2)
        places *= 2;
    lexicon->mask = places - 1;
    lexicon->table = vx_heap_alloc(places * sizeof *lexicon->table);
    if (lexicon->table == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a lexicon of %zu words",
                       entries);
    const char *entry = lexicon->packed;
    for (size_t i = 0; i < entries; i++) {
        size_t length = strlen(entry);
        uint32_t *place = find_place(lexicon, entry, length);
        uint32_t home = hash_word(entry, length) & lexicon->mask;
        if ((((uint32_t)(place - lexicon->table) - home) & lexicon->mask) > PROBES_MAX)
            return vx_fail(err, VX_ERR_INPUT, "bad_lexicon",
                           "the words of %s were chosen to defeat the index; fetch the file again",
                           path);
        lexicon->count += *place == 0;
        *place = (uint32_t)(entry - lexicon->packed) + 1;
        entry = skip_value(entry + length + 1);
    }
    return VX_OK;
}

static vx_status read_file(const char *path, char **text, size_t *length, vx_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return vx_fail(err, errno == ENOENT || errno == ENOTDIR ? VX_ERR_MISSING : VX_ERR_IO,
                       "no_lexicon", "cannot open the lexicon %s: %s", path, strerror(errno));
    struct stat info;
    vx_status status = VX_OK;
    *text = NULL;
    *length = 0;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > FILE_BYTES_MAX)
        status = vx_fail(err, VX_ERR_INPUT, "bad_lexicon",
                         "%s is no pronunciation lexicon: not a file of at most %d MiB", path,
                         FILE_BYTES_MAX >> 20);
    else if ((*text = vx_heap_alloc((size_t)info.st_size + 1)) == NULL)
        status = vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the lexicon %s", path);
    while (status == VX_OK && *length < (size_t)info.st_size) {
        ssize_t n = read(fd, *text + *length, (size_t)info.st_size - *length);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            status = vx_fail(err, VX_ERR_IO, "io", "cannot read the lexicon %s: %s", path,
                             strerror(errno));
        if (n <= 0) break; /* a file cut meanwhile fails to parse */
        *length += (size_t)n;
    }
    close(fd);
    return status;
}

static vx_status load(vx_lexicon *lexicon, const char *path, vx_error *err)
{
    scanner s = {.path = path, .line = 1, .err = err};
    vx_status status = read_file(path, &s.text, &s.length, err);
    lexicon->packed = s.text;
    VX_TRY(status);
    size_t entries;
    VX_TRY(pack_file(&s, &entries));
    char *shrunk = vx_heap_grow(lexicon->packed, s.out);
    if (shrunk != NULL) lexicon->packed = shrunk;
    return build_table(lexicon, path, entries, err);
}

vx_status vx_lexicon_open(vx_lexicon **lexicon, const char *path, vx_error *err)
{
    *lexicon = vx_heap_alloc(sizeof **lexicon);
    if (*lexicon == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the lexicon %s", path);
    vx_status status = load(*lexicon, path, err);
    if (status != VX_OK) vx_lexicon_close(lexicon);
    return status;
}

void vx_lexicon_close(vx_lexicon **lexicon)
{
    if (*lexicon == NULL) return;
    vx_heap_free((*lexicon)->packed);
    vx_heap_free((*lexicon)->table);
    vx_heap_free(*lexicon);
    *lexicon = NULL;
}

size_t vx_lexicon_count(const vx_lexicon *lexicon)
{
    return lexicon->count;
}

static const char *find_exact(const vx_lexicon *lexicon, const char *word, size_t length)
{
    uint32_t place = *find_place(lexicon, word, length);
    return place != 0 ? lexicon->packed + place - 1 + length + 1 : NULL;
}

const char *vx_lexicon_find(const vx_lexicon *lexicon, const char *word, size_t length)
{
    if (length == 0 || length > WORD_BYTES_MAX || memchr(word, '\0', length) != NULL) return NULL;
    const char *value = find_exact(lexicon, word, length);
    if (value != NULL || length < 2) return value;
    /* The twin: only a first letter that changes case, before letters that are all small. */
    bool first_lower = word[0] >= 'a' && word[0] <= 'z';
    bool first_upper = word[0] >= 'A' && word[0] <= 'Z';
    if (!first_lower && !first_upper) return NULL;
    for (size_t i = 1; i < length; i++)
        if (word[i] >= 'A' && word[i] <= 'Z') return NULL;
    char twin[WORD_BYTES_MAX];
    memcpy(twin, word, length);
    twin[0] ^= 32;
    return find_exact(lexicon, twin, length);
}

bool vx_lexeme_tagged(const char *value)
{
    return value[0] == MARK_TAGGED;
}

bool vx_lexeme_tag(const char *value, const char *tag, const char **phonemes)
{
    assert(vx_lexeme_tagged(value));
    for (value++; *value != '\0';) {
        const char *text = value + strlen(value) + 1;
        if (strcmp(value, tag) == 0) {
            *phonemes = text[0] == MARK_NULL ? NULL : text;
            return true;
        }
        value = text + strlen(text) + 1;
    }
    return false;
}
