#include "packs/synth_tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "models/clip/clip.h"
#include "models/flux/t5.h"

static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
enum { LETTERS = sizeof letters - 1 };

/* Two letters first, then a third one after each pair; inside a word and at its end. */
static int put_merges(vx_outfile *out, int wanted, vx_status *status, vx_error *err)
{
    char line[32];
    int count = 0;
    for (int length = 2; length <= 3; length++)
        for (int i = 0; i < (length == 2 ? LETTERS : LETTERS * LETTERS); i++)
            for (int k = 0; k < 2 * LETTERS && count < wanted && *status == VX_OK; k++, count++) {
                char first[3] = {letters[length == 2 ? i : i / LETTERS],
                                 length == 2 ? '\0' : letters[i % LETTERS], '\0'};
                int bytes = snprintf(line, sizeof line, "%s %c%s\n", first, letters[k % LETTERS],
                                     k < LETTERS ? "" : "</w>");
                *status = vx_outfile_write(out, line, (size_t)bytes, err);
            }
    return count;
}

vx_status vx_synth_clip_tokens(const json_t *config, const char *path, vx_error *err)
{
    static const char version[] = "#version: 0.2\n";
    vx_clip_config clip;
    vx_outfile out;
    VX_TRY(vx_clip_config_read(config, VX_CLIP_LARGE_14, &clip, err));
    int wanted = clip.vocab - 2 * 256 - 2; /* bytes, bytes at the end of a word, start and end */
    if (wanted < 1)
        return vx_fail(
            err, VX_ERR_MISSING, "no_tokenizer",
            "no tokenizer can be made up for a vocabulary of %d; put the pack's own there",
            clip.vocab);
    VX_TRY(vx_outfile_open(&out, path, err));
    vx_status status = vx_outfile_write(&out, version, sizeof version - 1, err);
    if (status == VX_OK) put_merges(&out, wanted, &status, err);
    if (status == VX_OK) return vx_outfile_commit(&out, err);
    vx_outfile_abort(&out);
    return status;
}

/* A piece and its score: longer ones are likelier than their parts together. */
static void put_piece(json_t *pieces, const char *text, double score)
{
    json_array_append_new(pieces, json_pack("[s, f]", text, score));
}

vx_status vx_synth_t5_tokens(const json_t *config, const char *path, vx_error *err)
{
    static const char space[] = "\xe2\x96\x81"; /* U+2581 */
    vx_t5_config t5;
    VX_TRY(vx_t5_config_read(config, &t5, err));
    json_t *pieces = json_array();
    put_piece(pieces, "<pad>", 0);
    put_piece(pieces, "</s>", 0);
    put_piece(pieces, "<unk>", 0);
    put_piece(pieces, space, -2);
    for (int c = '!'; c < 0x7F; c++)
        put_piece(pieces, (char[]){(char)c, '\0'}, -5);
    for (int i = 0; i < LETTERS * LETTERS && (int)json_array_size(pieces) < t5.vocab; i++)
        put_piece(pieces, (char[]){letters[i / LETTERS], letters[i % LETTERS], '\0'}, -7);
    json_t *doc = json_pack(
        "{s:s, s:[{s:i, s:s, s:b}, {s:i, s:s, s:b}, {s:i, s:s, s:b}], s:n, s:{s:s, s:i, s:o}}",
        "version", "1.0", "added_tokens", "id", 0, "content", "<pad>", "special", 1, "id", 1,
        "content", "</s>", "special", 1, "id", 2, "content", "<unk>", "special", 1, "normalizer",
        "model", "type", "Unigram", "unk_id", 2, "vocab", pieces);
    char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    if (text == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to make a tokenizer");
    vx_status status = vx_file_write(path, text, strlen(text), err);
    free(text);
    return status;
}
