#include "text/expander.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"

enum {
    FILE_BYTES_MAX = 1 << 20,
    SLOTS_MAX = 32,
    VALUES_MAX = 64,
    PHRASE_WORDS_MAX = 6,
    TOKENS_MAX = 1024, /* what follows them names nothing */
    WORD_BYTES = 48,   /* of one that is replaced, its NUL included */
    OPEN = -1
};

typedef struct value {
    const char *say;  /* "" when there is nothing to say */
    const char *mood; /* NULL for none */
    double weight;
    uint64_t unless[SLOTS_MAX]; /* a bit for each value of another slot that forbids this one */
} value;

typedef struct slot {
    const char *name;
    const json_t *beside; /* array of words, or NULL */
    const json_t *some;   /* array of words, or NULL */
    value *values;
    int count;
} slot;

/* Words that name a value. */
typedef struct phrase {
    int slot, value, words;
    char *word[PHRASE_WORDS_MAX];
} phrase;

typedef struct token {
    const char *text; /* lower case, NUL-terminated, in `letters` */
    int stretch;      /* between which breaks it stands */
    bool used;        /* it is a part of a phrase that was understood */
} token;

struct vx_expander {
    json_t *grammar; /* owns the texts */
    slot slots[SLOTS_MAX];
    int slot_count;
    phrase *phrases; /* longest first */
    int phrase_count;
    char letters[2 * VX_EXPANDER_PROMPT_MAX + 2];
    token tokens[TOKENS_MAX];
    int token_count;
};

/* ---- the grammar ---------------------------------------------------------------------------- */

static vx_status broken(const char *name, const char *what, const char *which, vx_error *err)
{
    return vx_fail_at(err, VX_ERR_INPUT, "bad_grammar", name, 0,
                      "the grammar %s is broken: %s%s%.60s%s; restore the pack", name, what,
                      which != NULL ? " '" : "", which != NULL ? which : "",
                      which != NULL ? "'" : "");
}

static vx_status no_memory(const char *name, vx_error *err)
{
    return vx_fail_at(err, VX_ERR_MEMORY, "no_memory", name, 0,
                      "not enough memory for the grammar %s; free some memory", name);
}

/* True for an array of strings, each at least one letter long. */
static bool are_words(const json_t *list)
{
    if (!json_is_array(list)) return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *word = json_string_value(json_array_get(list, i));
        if (word == NULL || word[0] == '\0') return false;
    }
    return true;
}

static bool holds(const json_t *list, const char *word)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), word) == 0) return true;
    return false;
}

static int find_slot(const vx_expander *e, const char *name, size_t length)
{
    for (int i = 0; i < e->slot_count; i++)
        if (strlen(e->slots[i].name) == length && memcmp(e->slots[i].name, name, length) == 0)
            return i;
    return -1;
}

static const json_t *values_of(const vx_expander *e, int i)
{
    return json_object_get(json_array_get(json_object_get(e->grammar, "slots"), (size_t)i),
                           "values");
}

static int find_value(const vx_expander *e, int s, const char *name)
{
    const json_t *values = values_of(e, s);
    for (size_t i = 0; name != NULL && i < json_array_size(values); i++) {
        const char *own = json_string_value(json_object_get(json_array_get(values, i), "name"));
        if (own != NULL && strcmp(own, name) == 0) return (int)i;
    }
    return -1;
}

static vx_status read_slot(vx_expander *e, const char *file, const json_t *from, vx_error *err)
{
    slot *s = &e->slots[e->slot_count];
    const json_t *values = json_object_get(from, "values");
    s->name = json_string_value(json_object_get(from, "name"));
    s->beside = json_object_get(from, "beside");
    s->some = json_object_get(from, "some");
    if (s->name == NULL || (s->beside != NULL && !are_words(s->beside)) ||
        (s->some != NULL && !are_words(s->some)))
        return broken(file, "a slot needs a name, and 'beside' and 'some' are lists of words",
                      s->name, err);
    if (find_slot(e, s->name, strlen(s->name)) >= 0)
        return broken(file, "there are two slots", s->name, err);
    if (!json_is_array(values) || json_array_size(values) == 0 ||
        json_array_size(values) > VALUES_MAX)
        return broken(file, "1 to 64 values belong to the slot", s->name, err);
    s->values = vx_heap_alloc(json_array_size(values) * sizeof *s->values);
    if (s->values == NULL) return no_memory(file, err);
    e->slot_count++;
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *v = json_array_get(values, i), *words = json_object_get(v, "words");
        const char *say = json_string_value(json_object_get(v, "say"));
        if (json_string_value(json_object_get(v, "name")) == NULL ||
            (words != NULL && !are_words(words)))
            return broken(file, "a value needs a name, and words are a list, in slot", s->name,
                          err);
        double weight = json_number_value(json_object_get(v, "weight"));
        if (json_object_get(v, "mood") != NULL && !json_is_string(json_object_get(v, "mood")))
            return broken(file, "a mood is a text, in slot", s->name, err);
        if (!(weight >= 0 && weight <= 1e6))
            return broken(file, "a weight is a number from 0 to 1e6, in slot", s->name, err);
        s->values[s->count++] = (value){.say = say != NULL ? say : "",
                                        .mood = json_string_value(json_object_get(v, "mood")),
                                        .weight = weight};
        e->phrase_count += (int)json_array_size(words);
    }
    return VX_OK;
}

/* What forbids a value: {slot: [values]}. */
static vx_status read_unless(vx_expander *e, const char *file, int s, vx_error *err)
{
    for (int i = 0; i < e->slots[s].count; i++) {
        json_t *all = json_object_get(json_array_get(values_of(e, s), (size_t)i), "unless");
        const char *other;
        json_t *names;
        json_object_foreach(all, other, names)
        {
            int o = find_slot(e, other, strlen(other));
            if (o < 0 || !are_words(names))
                return broken(file, "'unless' lists values of a slot that exists, not", other, err);
            for (size_t k = 0; k < json_array_size(names); k++) {
                const char *name = json_string_value(json_array_get(names, k));
                int v = find_value(e, o, name);
                if (v < 0) return broken(file, "'unless' names an unknown value", name, err);
                e->slots[s].values[i].unless[o] |= UINT64_C(1) << v;
            }
        }
    }
    return VX_OK;
}

/* Cuts a copy of the text at its spaces. */
static vx_status read_phrase(const char *file, const char *text, phrase *p, vx_error *err)
{
    char *copy = vx_heap_text(text, strlen(text));
    if (copy == NULL) return no_memory(file, err);
    p->word[0] = copy;
    p->words = 1;
    for (char *space = copy; (space = strchr(space, ' ')) != NULL;) {
        *space++ = '\0';
        if (p->words == PHRASE_WORDS_MAX || *space == '\0' || *space == ' ')
            return broken(file, "six words with one space between are the most, not", text, err);
        p->word[p->words++] = space;
    }
    return VX_OK;
}

static int longest_first(const void *a, const void *b)
{
    const phrase *p = a, *q = b;
    if (p->words != q->words) return q->words - p->words;
    return p->slot != q->slot ? p->slot - q->slot : p->value - q->value;
}

static vx_status read_phrases(vx_expander *e, const char *file, vx_error *err)
{
    e->phrases = vx_heap_alloc(((size_t)e->phrase_count + 1) * sizeof *e->phrases);
    if (e->phrases == NULL) return no_memory(file, err);
    e->phrase_count = 0;
    for (int s = 0; s < e->slot_count; s++)
        for (int v = 0; v < e->slots[s].count; v++) {
            const json_t *words =
                json_object_get(json_array_get(values_of(e, s), (size_t)v), "words");
            for (size_t i = 0; i < json_array_size(words); i++) {
                phrase *p = &e->phrases[e->phrase_count++];
                *p = (phrase){.slot = s, .value = v};
                VX_TRY(read_phrase(file, json_string_value(json_array_get(words, i)), p, err));
            }
        }
    qsort(e->phrases, (size_t)e->phrase_count, sizeof *e->phrases, longest_first);
    return VX_OK;
}

/* Every {name} of a tag must be a slot's. */
static vx_status check_tag(const vx_expander *e, const char *file, const char *tag, vx_error *err)
{
    for (const char *at = tag; (at = strchr(at, '{')) != NULL;) {
        const char *end = strchr(at, '}');
        if (end == NULL || find_slot(e, at + 1, (size_t)(end - at - 1)) < 0)
            return broken(file, "a tag names a slot that is not there", tag, err);
        at = end;
    }
    return VX_OK;
}

static vx_status read_grammar(vx_expander *e, const char *file, vx_error *err)
{
    const json_t *slots = json_object_get(e->grammar, "slots"),
                 *tags = json_object_get(e->grammar, "tags");
    if (!json_is_array(slots) || json_array_size(slots) > SLOTS_MAX || !are_words(tags) ||
        !are_words(json_object_get(e->grammar, "known")) ||
        !are_words(json_object_get(e->grammar, "breaks")))
        return broken(file, "known, breaks and tags are lists of words, slots a list of at most 32",
                      NULL, err);
    for (size_t i = 0; i < json_array_size(slots); i++)
        VX_TRY(read_slot(e, file, json_array_get(slots, i), err));
    for (int s = 0; s < e->slot_count; s++)
        VX_TRY(read_unless(e, file, s, err));
    for (size_t i = 0; i < json_array_size(tags); i++)
        VX_TRY(check_tag(e, file, json_string_value(json_array_get(tags, i)), err));
    const json_t *same = json_object_get(e->grammar, "same");
    const char *word;
    json_t *other;
    if (same != NULL && !json_is_object(same))
        return broken(file, "'same' names for each word the one that it is read as", NULL, err);
    json_object_foreach((json_t *)same, word, other)
    {
        if (word[0] == '\0' || json_string_length(other) == 0)
            return broken(file, "'same' needs a word for", word, err);
    }
    return read_phrases(e, file, err);
}

vx_status vx_expander_parse(vx_expander **out, const char *name, const char *json, size_t bytes,
                            vx_error *err)
{
    json_error_t error;
    vx_expander *e = *out = vx_heap_alloc(sizeof *e);
    if (e == NULL) return no_memory(name, err);
    e->grammar = json_loadb(json, bytes, JSON_REJECT_DUPLICATES, &error);
    vx_status status =
        e->grammar == NULL
            ? vx_fail_at(err, VX_ERR_INPUT, "bad_grammar", name, error.line,
                         "the grammar %s is no JSON: %s; restore the pack", name, error.text)
            : read_grammar(e, name, err);
    if (status != VX_OK) vx_expander_close(out);
    return status;
}

vx_status vx_expander_open(vx_expander **out, const char *path, vx_error *err)
{
    *out = NULL;
    char *bytes;
    size_t size;
    VX_TRY(vx_file_read(path, FILE_BYTES_MAX, &bytes, &size, err));
    vx_status status = vx_expander_parse(out, path, bytes, size, err);
    vx_heap_free(bytes);
    return status;
}

void vx_expander_close(vx_expander **expander)
{
    vx_expander *e = *expander;
    if (e == NULL) return;
    for (int i = 0; i < e->slot_count; i++)
        vx_heap_free(e->slots[i].values);
    for (int i = 0; e->phrases != NULL && i < e->phrase_count; i++)
        vx_heap_free(e->phrases[i].word[0]);
    vx_heap_free(e->phrases);
    json_decref(e->grammar);
    vx_heap_free(e);
    *expander = NULL;
}

/* ---- the prompt ----------------------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Letters, digits, hyphens and whatever is not ASCII make words; another mark stands alone. */
static bool in_word(char c)
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '\'' || (unsigned char)c >= 0x80;
}

/* Adds "from=to" to the list unless it is there. */
static void note_replaced(vx_expansion *out, const char *from, const char *to)
{
    char pair[2 * WORD_BYTES];
    size_t used = strlen(out->replaced_words);
    int length = snprintf(pair, sizeof pair, "%s=%s", from, to);
    out->replaced++;
    if (strstr(out->replaced_words, pair) != NULL) return;
    if (used + (size_t)length + 3 < sizeof out->replaced_words)
        sprintf(out->replaced_words + used, "%s%s", used > 0 ? ", " : "", pair);
}

/* The prompt into out->text, words that have another one replaced by it; the bytes that it takes,
 * or 0 when it is too long. */
static size_t take_prompt(const vx_expander *e, const char *prompt, vx_expansion *out)
{
    const json_t *same = json_object_get(e->grammar, "same");
    size_t used = 0;
    while (*prompt != '\0') {
        char word[WORD_BYTES];
        size_t length = 1, kept = 0;
        while (in_word(prompt[0]) && in_word(prompt[length]))
            length++;
        for (; kept < length && kept + 1 < sizeof word; kept++)
            word[kept] = lower(prompt[kept]);
        word[kept] = '\0';
        const char *other = kept == length ? json_string_value(json_object_get(same, word)) : NULL;
        size_t bytes = other != NULL ? strlen(other) : length;
        if (used + bytes >= VX_EXPANDER_PROMPT_MAX) return 0;
        memcpy(out->text + used, other != NULL ? other : prompt, bytes);
        if (other != NULL) note_replaced(out, word, other);
        used += bytes;
        prompt += length;
    }
    return used;
}

static void cut(vx_expander *e, const char *prompt)
{
    const json_t *breaks = json_object_get(e->grammar, "breaks");
    char *out = e->letters;
    int stretch = 0;
    e->token_count = 0;
    for (const char *at = prompt; *at != '\0' && e->token_count < TOKENS_MAX;) {
        if ((unsigned char)*at <= ' ') {
            at++;
            continue;
        }
        token *t = &e->tokens[e->token_count++];
        *t = (token){.text = out};
        do
            *out++ = lower(*at++);
        while (in_word(at[-1]) && in_word(*at));
        *out++ = '\0';
        stretch += holds(breaks, t->text);
        t->stretch = stretch;
    }
}

static bool is_beside(const vx_expander *e, const json_t *words, int stretch)
{
    for (int i = 0; i < e->token_count; i++)
        if (e->tokens[i].stretch == stretch && holds(words, e->tokens[i].text)) return true;
    return false;
}

static bool matches(const vx_expander *e, const phrase *p, int at)
{
    if (at + p->words > e->token_count) return false;
    for (int i = 0; i < p->words; i++)
        if (e->tokens[at + i].used || strcmp(e->tokens[at + i].text, p->word[i]) != 0) return false;
    const json_t *beside = e->slots[p->slot].beside;
    return beside == NULL || is_beside(e, beside, e->tokens[at].stretch);
}

/* Sets the slots that the prompt names; of two values for one slot the first found stands. `some`
 * is set where it says that there is one, but not which. */
static void read_prompt(vx_expander *e, int chosen[SLOTS_MAX], bool some[SLOTS_MAX])
{
    for (int i = 0; i < e->phrase_count; i++)
        for (int at = 0; at < e->token_count; at++) {
            const phrase *p = &e->phrases[i];
            if (!matches(e, p, at)) continue;
            for (int k = 0; k < p->words; k++)
                e->tokens[at + k].used = true;
            if (chosen[p->slot] == OPEN) chosen[p->slot] = p->value;
        }
    for (int s = 0; s < e->slot_count; s++)
        for (int at = 0; at < e->token_count; at++) {
            token *t = &e->tokens[at];
            if (t->used || !holds(e->slots[s].some, t->text)) continue;
            t->used = true;
            some[s] |= chosen[s] == OPEN;
        }
}

/* A thing that has a colour or a kind is understood where the prompt names that ("red hair"); alone
 * ("a hat") it has no effect. */
static void note_unknown(const vx_expander *e, const int chosen[SLOTS_MAX], vx_expansion *out)
{
    const json_t *known = json_object_get(e->grammar, "known"),
                 *breaks = json_object_get(e->grammar, "breaks");
    size_t used = 0;
    for (int i = 0; i < e->token_count; i++) {
        const token *t = &e->tokens[i];
        bool understood =
            t->used || !in_word(t->text[0]) || holds(known, t->text) || holds(breaks, t->text);
        for (int s = 0; s < e->slot_count && !understood; s++)
            understood = chosen[s] != OPEN && holds(e->slots[s].beside, t->text);
        if (understood) continue;
        size_t length = strlen(t->text);
        if (used + length + 3 < sizeof out->unknown_words)
            used +=
                (size_t)sprintf(out->unknown_words + used, "%s%s", used > 0 ? ", " : "", t->text);
        out->unknown++;
    }
}

/* ---- what is left open ---------------------------------------------------------------------- */

/* `some`: only what can be said. */
static bool allowed(const vx_expander *e, const value *v, bool some, const int chosen[SLOTS_MAX])
{
    if (some && v->say[0] == '\0') return false;
    for (int s = 0; s < e->slot_count; s++)
        if (chosen[s] != OPEN && (v->unless[s] >> chosen[s] & 1) != 0) return false;
    return v->weight > 0;
}

static int draw(const vx_expander *e, int s, bool some, uint64_t seed, const int chosen[SLOTS_MAX])
{
    double sum = 0, at = vx_random_uniform(seed, VX_STREAM_PROMPT, (uint64_t)s);
    for (int i = 0; i < e->slots[s].count; i++)
        if (allowed(e, &e->slots[s].values[i], some, chosen)) sum += e->slots[s].values[i].weight;
    at *= sum;
    int last = OPEN;
    for (int i = 0; i < e->slots[s].count && at >= 0; i++)
        if (allowed(e, &e->slots[s].values[i], some, chosen)) {
            at -= e->slots[s].values[i].weight;
            last = i;
        }
    return last;
}

/* A tag with its slots filled in; false when one has nothing to say or none of them was drawn. */
static bool say_tag(const vx_expander *e, const char *tag, const int chosen[SLOTS_MAX],
                    const bool drawn[SLOTS_MAX], char *out, size_t room)
{
    bool fresh = false;
    size_t used = 0;
    while (*tag != '\0') {
        const char *text = tag;
        size_t length = 1;
        if (*tag == '{') {
            const char *end = strchr(tag, '}');
            int s = find_slot(e, tag + 1, (size_t)(end - tag - 1));
            if (chosen[s] == OPEN) return false;
            text = e->slots[s].values[chosen[s]].say;
            length = strlen(text);
            if (length == 0) return false;
            fresh |= drawn[s];
            tag = end;
        }
        tag++;
        if (used + length >= room) return false;
        memcpy(out + used, text, length);
        used += length;
    }
    out[used] = '\0';
    return fresh;
}

bool vx_expander_run(vx_expander *e, const char *prompt, uint64_t seed, vx_expansion *out)
{
    int chosen[SLOTS_MAX];
    bool drawn[SLOTS_MAX] = {false}, some[SLOTS_MAX] = {false};
    char tag[VX_EXPANDER_TAGS_MAX];
    *out = (vx_expansion){0};
    size_t used = take_prompt(e, prompt, out);
    if (used == 0 && prompt[0] != '\0') return false;
    cut(e, out->text);
    for (int s = 0; s < SLOTS_MAX; s++)
        chosen[s] = OPEN;
    read_prompt(e, chosen, some);
    note_unknown(e, chosen, out);
    for (int s = 0; s < e->slot_count; s++) {
        if (chosen[s] == OPEN) continue;
        out->named++;
        if (out->mood == NULL) out->mood = e->slots[s].values[chosen[s]].mood;
    }
    for (int i = 0; i < 2 * e->slot_count; i++) {
        int s = i % e->slot_count;
        bool first = i < e->slot_count;
        if (chosen[s] != OPEN || some[s] != first) continue;
        chosen[s] = draw(e, s, some[s], seed, chosen);
        drawn[s] = chosen[s] != OPEN;
        out->drawn += drawn[s];
    }
    while (used > 0 && strchr(" \t\r\n.,;", out->text[used - 1]) != NULL)
        out->text[--used] = '\0';
    const json_t *tags = json_object_get(e->grammar, "tags");
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const char *text = json_string_value(json_array_get(tags, i));
        if (!say_tag(e, text, chosen, drawn, tag, sizeof tag)) continue;
        if (used + strlen(tag) + 3 > sizeof out->text) break;
        used += (size_t)sprintf(out->text + used, "%s%s", used > 0 ? ", " : "", tag);
    }
    return true;
}
