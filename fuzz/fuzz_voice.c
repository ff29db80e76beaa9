/* Voices: files of style rows, as they stand and as PyTorch keeps them, and names of voices and blends. The first
 * byte says which. A voice that is taken holds finite values only. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "models/kokoro/voice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WIDTH = 4 };

static const char *folder(void)
{
    static char name[64];
    if (name[0] == '\0') {
        snprintf(name, sizeof name, "/tmp/vx-fuzz-voice-XXXXXX");
        if (mkdtemp(name) == NULL) abort();
    }
    return name;
}

/* NAME.bin or NAME.pt with these bytes; a plain write, because nothing of it has to last. */
static void put(const char *name, const void *data, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(data, 1, size, f) != size || fclose(f) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 1 << 16) return 0;
    static float rows[VX_VOICE_ROWS * WIDTH];
    vx_voice voice = {.rows = rows};
    vx_error err = {0};
    const vx_voice_alias alias[] = {{"me", "a:0.5,b"}, {"loop", "loop"}};
    vx_voice_library library = {folder(), alias, 2, WIDTH};
    char name[512] = "a";
    int kind = data[0] % 3;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder(), kind == 1 ? "a.bin" : "a.pt");
    unlink(path);
    if (kind == 0) put("a.bin", data + 1, size - 1);
    if (kind == 1) put("a.pt", data + 1, size - 1);
    if (kind == 2) {
        put("a.bin", rows, sizeof rows);
        snprintf(name, sizeof name, "%.*s", (int)(size - 1 < 500 ? size - 1 : 500), data + 1);
    }
    vx_status status = vx_voice_load(&library, name, &voice, &err);
    (void)vx_voice_british(&library, name);
    if (status != VX_OK && (err.message[0] == '\0' || status == VX_ERR_INTERNAL)) abort();
    for (int i = 0; i < VX_VOICE_ROWS * WIDTH && status == VX_OK; i++)
        if (!isfinite(rows[i])) abort();
    if (status != VX_OK) memset(rows, 0, sizeof rows);
    return 0;
}
