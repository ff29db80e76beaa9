#include "text/espeak.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "text/phonemes.h"

/* From espeak-ng's speak_lib.h, interface version 12 (espeak-ng 1.48 to 1.52). */
enum {
    AUDIO_OUTPUT_SYNCHRONOUS = 2,
    INITIALIZE_DONT_EXIT = 0x8000,
    CHARS_UTF8 = 1,
    PHONEMES_IPA = 0x02,
    PHONEMES_TIE = 0x80,
    TIE_SHIFT = 8
};

enum { WORD_ROOM = 256, IPA_ROOM = 4096 };

static struct {
    pthread_mutex_t lock;
    bool loaded;
    void *library;
    int voice; /* the one set now: 0 American, 1 British, -1 none */
    int (*initialize)(int output, int buffer_ms, const char *path, int options);
    int (*set_voice)(const char *name);
    const char *(*to_phonemes)(const void **text, int text_mode, int phoneme_mode);
} espeak = {.lock = PTHREAD_MUTEX_INITIALIZER, .voice = -1};

static bool set_voice(bool british)
{
    /* British English is the file gmw/en of espeak-ng 1.50 and newer; other names for others. */
    static const char *const names[2][3] = {{"en-us", "gmw/en-US", NULL},
                                            {"gmw/en", "en-gb", "en"}};
    if (espeak.voice == (int)british) return true;
    espeak.voice = -1;
    for (int i = 0; i < 3 && names[british][i] != NULL; i++) {
        if (espeak.set_voice(names[british][i]) != 0) continue;
        espeak.voice = british;
        return true;
    }
    return false;
}

static vx_status load(vx_error *err)
{
    if (espeak.library == NULL) espeak.library = dlopen("libespeak-ng.so.1", RTLD_NOW | RTLD_LOCAL);
    if (espeak.library == NULL)
        return vx_fail(err, VX_ERR_MISSING, "no_espeak",
                       "espeak-ng is not installed (%s): install the package libespeak-ng1",
                       dlerror());
    *(void **)&espeak.initialize = dlsym(espeak.library, "espeak_Initialize");
    *(void **)&espeak.set_voice = dlsym(espeak.library, "espeak_SetVoiceByName");
    *(void **)&espeak.to_phonemes = dlsym(espeak.library, "espeak_TextToPhonemes");
    if (espeak.initialize == NULL || espeak.set_voice == NULL || espeak.to_phonemes == NULL)
        return vx_fail(err, VX_ERR_MISSING, "no_espeak",
                       "libespeak-ng.so.1 lacks a function that Vortex needs: install espeak-ng "
                       "1.49 or newer");
    int rate = espeak.initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, NULL, INITIALIZE_DONT_EXIT);
    espeak.loaded = rate > 0 && set_voice(true) && set_voice(false);
    if (espeak.loaded) return VX_OK;
    /* It does not say why; what keeps it from its pipe and its files is not that there are none. */
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return vx_fail_read(err, errno, "espeak-ng's voice data");
    close(ends[0]);
    close(ends[1]);
    return vx_fail(err, VX_ERR_MISSING, "no_espeak_data",
                   "espeak-ng has no English voice data: install the package espeak-ng-data or set "
                   "ESPEAK_DATA_PATH");
}

vx_status vx_espeak_load(vx_error *err)
{
    pthread_mutex_lock(&espeak.lock);
    vx_status status = espeak.loaded ? VX_OK : load(err);
    pthread_mutex_unlock(&espeak.lock);
    return status;
}

typedef struct replacement {
    const char *from, *to;
} replacement;

static void replace_all(vx_strbuf *buf, const replacement *r)
{
    size_t length = strlen(r->from);
    for (size_t at = 0; at + length <= buf->length;) {
        char *found = memmem(buf->data + at, buf->length - at, r->from, length);
        if (found == NULL) return;
        at = (size_t)(found - buf->data);
        memmove(found, found + length, buf->length - at - length + 1);
        buf->length -= length;
        vx_strbuf_insert(buf, at, r->to, strlen(r->to));
        at += strlen(r->to);
    }
}

static void replace_table(vx_strbuf *buf, const replacement *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        replace_all(buf, &table[i]);
}

/* X and the syllabic mark U+0329 -> ᵊX. */
static void move_syllabic(vx_strbuf *buf)
{
    static const char mark[] = "\u0329";
    char *found;
    while ((found = strstr(buf->data, mark)) != NULL) {
        size_t at = (size_t)(found - buf->data);
        memmove(found, found + 2, buf->length - at - 1);
        buf->length -= 2;
        uint32_t cp;
        size_t n = vx_utf8_before(buf->data, at, &cp);
        if (n > 0 && cp != ' ') vx_strbuf_insert(buf, at - n, "ᵊ", strlen("ᵊ"));
    }
}

#define TABLE(name, ...) static const replacement name[] = {__VA_ARGS__}
#define COUNT(table)     (sizeof(table) / sizeof((table)[0]))

/* Order matters: longest first, as in misaki's E2M. */
TABLE(to_misaki, {"ʔˌn\u0329", "ʔn"}, {"ʔn\u0329", "ʔn"}, {"a^ɪ", "I"}, {"a^ʊ", "W"}, {"d^ʒ", "ʤ"},
      {"e^ɪ", "A"}, {"t^ʃ", "ʧ"}, {"ɔ^ɪ", "Y"}, {"ə^l", "ᵊl"}, {"ʲo", "jo"}, {"ʲə", "jə"},
      {"e", "A"}, {"ʲ", ""}, {"ɚ", "əɹ"}, {"r", "ɹ"}, {"x", "k"}, {"ç", "k"}, {"ɐ", "ə"},
      {"ɬ", "l"}, {"\u0303", ""});
TABLE(for_british, {"iə", "ɪə"}, {"ə^ʊ", "Q"});
TABLE(for_american, {"o^ʊ", "O"}, {"ɜːɹ", "ɜɹ"}, {"ɜː", "ɜɹ"}, {"ɪə", "iə"}, {"ː", ""});
TABLE(for_both, {"o", "ɔ"}, {"ɾ", "T"}, {"ʔ", "t"}, {"^", ""});

void vx_espeak_translate(vx_strbuf *ipa, bool british)
{
    replace_table(ipa, to_misaki, COUNT(to_misaki));
    move_syllabic(ipa);
    if (british)
        replace_table(ipa, for_british, COUNT(for_british));
    else
        replace_table(ipa, for_american, COUNT(for_american));
    replace_table(ipa, for_both, COUNT(for_both));
}

/* Removes "(fr)" and such, which espeak-ng writes where it changes the language. */
static void remove_switches(vx_strbuf *buf)
{
    char *open, *close;
    while ((open = strchr(buf->data, '(')) != NULL && (close = strchr(open, ')')) != NULL) {
        memmove(open, close + 1, buf->length - (size_t)(close + 1 - buf->data) + 1);
        buf->length -= (size_t)(close + 1 - open);
    }
}

/* Appends what Kokoro has a symbol for, with single spaces. */
static void put_known(const vx_strbuf *ipa, vx_strbuf *out)
{
    size_t from = out->length, n;
    uint32_t cp;
    bool space = false;
    for (size_t at = 0; (n = vx_utf8_decode(ipa->data + at, ipa->length - at, &cp)) > 0; at += n) {
        if (vx_cp_space(cp)) {
            space = out->length > from;
        } else if (vx_phoneme_known(cp)) {
            if (space) vx_strbuf_put(out, " ");
            space = false;
            vx_strbuf_cp(out, cp);
        }
    }
}

bool vx_espeak_word(const char *word, size_t length, bool british, vx_strbuf *out)
{
    char text[WORD_ROOM], memory[IPA_ROOM];
    if (length == 0 || length >= sizeof text) return false;
    memcpy(text, word, length);
    text[length] = '\0';
    vx_strbuf ipa = vx_strbuf_over(memory, sizeof memory);
    pthread_mutex_lock(&espeak.lock);
    const void *rest = text;
    bool ready = espeak.loaded && set_voice(british);
    while (ready && rest != NULL) {
        const char *part = espeak.to_phonemes(&rest, CHARS_UTF8,
                                              PHONEMES_IPA | PHONEMES_TIE | (int)'^' << TIE_SHIFT);
        if (ipa.length > 0) vx_strbuf_put(&ipa, " ");
        if (part != NULL) vx_strbuf_put(&ipa, part);
    }
    pthread_mutex_unlock(&espeak.lock);
    if (ipa.full || !vx_utf8_valid(ipa.data, ipa.length, NULL)) return false;
    remove_switches(&ipa);
    vx_espeak_translate(&ipa, british);
    size_t from = out->length;
    put_known(&ipa, out);
    return out->length > from;
}
