/* What a file is that no parser claims, and what to give instead. */
#include <stdio.h>
#include <string.h>

#include "formats/source_impl.h"

/* By the first bytes, white space and a byte order mark left out for texts. */
static const struct {
    bool text;
    size_t length;
    const char *magic, *what, *instead;
} kinds[] = {
    {true, 23, "version https://git-lfs", "is a Git LFS pointer, not the weights",
     "fetch the file itself with \"git lfs pull\""},
    {true, 9, "<!doctype", "is a web page, not the weights",
     "download the file itself (on a model hub, by its \"resolve\" address, and with a token where "
     "access is granted on request)"},
    {true, 5, "<html", "is a web page, not the weights",
     "download the file itself (on a model hub, by its \"resolve\" address, and with a token where "
     "access is granted on request)"},
    {true, 5, "<?xml", "is XML, most likely a server's error message",
     "look into it and download the file again"},
    {true, 9, "access to", "is a server's refusal, not the weights",
     "ask for access on the model's page and download the file with a token"},
    {true, 15, "entry not found", "is a server's error message, not the weights",
     "check the address and download the file again"},
    {true, 17, "invalid username ", "is a server's refusal, not the weights",
     "download the file with a valid token"},
    {false, 4, "ggjt", "is in ggml's format from before GGUF", "give a GGUF file"},
    {false, 4, "tjgg", "is in ggml's format from before GGUF", "give a GGUF file"},
    {false, 4, "lmgg", "is in ggml's format from before GGUF", "give a GGUF file"},
    {false, 4, "fmgg", "is in ggml's format from before GGUF", "give a GGUF file"},
    {false, 4, "FUGG", "is a big-endian GGUF file", "give a little-endian one"},
    {false, 8, "\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras and TensorFlow write them",
     "give the safetensors file of the same model"},
    {false, 2, "\x1f\x8b", "is compressed by gzip", "unpack it and give the file in it"},
    {false, 6, "7z\xbc\xaf\x27\x1c", "is a 7-Zip archive", "unpack it and give the file in it"},
    {false, 6, "\xfd\x37zXZ\0", "is compressed by xz", "unpack it and give the file in it"},
    {false, 4, "\x28\xb5\x2f\xfd", "is compressed by zstd", "unpack it and give the file in it"},
    {false, 3, "BZh", "is compressed by bzip2", "unpack it and give the file in it"},
    {false, 4, "Rar!", "is a RAR archive", "unpack it and give the file in it"},
    {false, 4, "PK\5\6", "is an empty zip archive", "download it again"},
    {false, 4, "%PDF", "is a PDF document", "give a weight file"},
    {false, 8, "\x89PNG\r\n\x1a\n", "is a picture", "give a weight file"},
    {false, 3, "\xff\xd8\xff", "is a picture", "give a weight file"},
    {false, 8, "TENSORRT", "is an engine of TensorRT",
     "give the safetensors file it was built from"},
    {false, 4, "TFL3", "is a TensorFlow Lite model", "give the safetensors file of the same model"},
};

static bool is_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The first byte of text. */
static size_t text_start(const vx_source *source)
{
    size_t at = source->size >= 3 && memcmp(source->bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < source->size && is_space(source->bytes[at]))
        at++;
    return at;
}

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

static bool begins(const vx_source *source, size_t at, const char *word, size_t length, bool text)
{
    if (source->size - at < length) return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = source->bytes[at + i];
        if ((text ? lower(c) : c) != (unsigned char)word[i]) return false;
    }
    return true;
}

/* Whether the word stands in the first bytes. */
static bool mentions(const vx_source *source, const char *word)
{
    size_t most = source->size < 1 << 16 ? source->size : 1 << 16;
    return memmem(source->bytes, most, word, strlen(word)) != NULL;
}

static bool is_zeroes(const vx_source *source)
{
    size_t most = source->size < 4096 ? source->size : 4096;
    for (size_t i = 0; i < most; i++)
        if (source->bytes[i] != 0) return false;
    return true;
}

/* A safetensors file whose header does not begin at once. */
static bool has_late_header(const vx_source *source)
{
    uint64_t length = 0;
    if (source->size <= sizeof length) return false;
    memcpy(&length, source->bytes, sizeof length);
    size_t at = sizeof length;
    while (at < source->size && is_space(source->bytes[at]))
        at++;
    return length <= source->size - sizeof length && at < source->size && source->bytes[at] == '{';
}

static vx_status say(const vx_source *source, vx_error *err, const char *what, const char *instead)
{
    return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", source->path, 0, "%s %s; %s", source->path,
                      what, instead);
}

static vx_status say_json(const vx_source *source, vx_error *err)
{
    if (mentions(source, "\"weight_map\""))
        return say(source, err, "is an index of a checkpoint in several files, not one of them",
                   "name the index in a pack's files, or give one of the files that it lists");
    if (mentions(source, "\"_class_name\"") || mentions(source, "\"model_type\"") ||
        mentions(source, "\"architectures\""))
        return say(source, err, "is a model's configuration, not its weights",
                   "give the weight file beside it, and this file as the component's config");
    return say(source, err, "is a JSON document, not a weight file",
               "give the model's safetensors or GGUF file");
}

vx_status vx_source_not_weights(const vx_source *source, vx_error *err)
{
    size_t start = text_start(source);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (begins(source, kinds[i].text ? start : 0, kinds[i].magic, kinds[i].length,
                   kinds[i].text))
            return say(source, err, kinds[i].what, kinds[i].instead);
    if (start < source->size && (source->bytes[start] == '{' || source->bytes[start] == '['))
        return say_json(source, err);
    if (source->size > 262 && memcmp(source->bytes + 257, "ustar", 5) == 0)
        return say(source, err, "is a tar archive", "unpack it and give the file in it");
    if (has_late_header(source))
        return say(source, err,
                   "is safetensors with white space before its header, which that "
                   "format does not allow",
                   "save it again");
    if (is_zeroes(source))
        return say(source, err, "begins with nothing but zeroes: a download that was broken off",
                   "download it again");
    return say(source, err,
               "is no weight file that Vortex reads (safetensors, GGUF, PyTorch .pth, ONNX, NPY, "
               "NPZ), or its beginning is damaged",
               "download it again");
}
