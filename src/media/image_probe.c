/* Walks the containers of JPEG (ITU-T T.81 markers), PNG (chunks, W3C PNG), WebP (RIFF chunks) and
 * GIF (blocks, GIF89a) for the EXIF block and for a missing end, which decoders tend to paint over.
 */
#include "media/image_probe.h"

#include <string.h>

static uint32_t be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}
static uint32_t be32(const uint8_t *p)
{
    return be16(p) << 16 | be16(p + 2);
}
static uint32_t le16(const uint8_t *p)
{
    return (uint32_t)p[1] << 8 | p[0];
}
static uint32_t le32(const uint8_t *p)
{
    return le16(p + 2) << 16 | le16(p);
}

/* Tag 0x0112 of the first directory of a TIFF block; 1 when there is none. */
static int exif_orientation(const uint8_t *tiff, size_t bytes)
{
    if (bytes < 8) return 1;
    bool little = tiff[0] == 'I' && tiff[1] == 'I';
    if (!little && !(tiff[0] == 'M' && tiff[1] == 'M')) return 1;
    uint32_t offset = little ? le32(tiff + 4) : be32(tiff + 4);
    if (offset > bytes - 2) return 1;
    uint32_t count = little ? le16(tiff + offset) : be16(tiff + offset);
    for (uint32_t i = 0; i < count; i++) {
        size_t at = (size_t)offset + 2 + 12 * (size_t)i;
        if (at + 12 > bytes) return 1;
        const uint8_t *entry = tiff + at;
        uint32_t tag = little ? le16(entry) : be16(entry);
        uint32_t type = little ? le16(entry + 2) : be16(entry + 2);
        uint32_t value = little ? le16(entry + 8) : be16(entry + 8);
        if (tag == 0x0112 && type == 3) return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* A frame header: precision, height, width, components of id, sampling, table. */
static void probe_jpeg_frame(vx_image_info *info, uint8_t marker, const uint8_t *body,
                             size_t length)
{
    if (length < 6) return;
    int components = body[5], across = 1, down = 1;
    int64_t blocks = 0;
    info->height = (int)be16(body + 1);
    info->width = (int)be16(body + 3);
    info->opaque = true;
    if (components < 1 || components > 4 || length < 6 + 3 * (size_t)components) return;
    for (int i = 0; i < components; i++) {
        int h = body[7 + 3 * i] >> 4, v = body[7 + 3 * i] & 15;
        across = h > across ? h : across;
        down = v > down ? v : down;
        blocks += h * v;
    }
    int64_t units = ((int64_t)info->width / (8 * across) + 1) * (info->height / (8 * down) + 1);
    if (marker == 0xC2) info->coefficient_bytes = units * blocks * 64 * 2;
}

static void probe_jpeg(vx_image_info *info, const uint8_t *data, size_t bytes)
{
    size_t at = 2;
    while (at + 4 <= bytes && data[at] == 0xFF) {
        uint8_t marker = data[at + 1];
        if (marker == 0xFF) { /* fill byte */
            at++;
            continue;
        }
        size_t length = be16(data + at + 2);
        if (length < 2 || length > bytes - at - 2) return;
        const uint8_t *body = data + at + 4;
        if (marker == 0xE1 && length >= 8 && memcmp(body, "Exif\0", 6) == 0)
            info->orientation = exif_orientation(body + 6, length - 8);
        if (marker >= 0xC0 && marker <= 0xC3) probe_jpeg_frame(info, marker, body, length - 2);
        at += 2 + length;
        if (marker != 0xDA) continue;
        /* After the first scan's header an end-of-image marker must follow somewhere. */
        for (; at + 2 <= bytes && !info->whole; at++)
            info->whole = data[at] == 0xFF && data[at + 1] == 0xD9;
        return;
    }
}

static void probe_png(vx_image_info *info, const uint8_t *data, size_t bytes)
{
    for (size_t at = 8; at + 12 <= bytes;) {
        size_t length = be32(data + at);
        if (length > bytes - at - 12) return;
        const uint8_t *type = data + at + 4;
        if (memcmp(type, "eXIf", 4) == 0)
            info->orientation = exif_orientation(data + at + 8, length);
        if (memcmp(type, "IEND", 4) == 0) {
            info->whole = true;
            return;
        }
        at += 12 + length;
    }
}

static void probe_webp(vx_image_info *info, const uint8_t *data, size_t bytes)
{
    size_t end = (size_t)le32(data + 4) + 8;
    /* Some writers leave out the last padding byte. */
    info->whole = end <= bytes + 1;
    if (end > bytes) end = bytes;
    for (size_t at = 12; at + 8 <= end;) {
        size_t length = le32(data + at + 4);
        const uint8_t *type = data + at;
        if (length > end - at - 8) return;
        if (memcmp(type, "VP8X", 4) == 0 && length >= 10) {
            info->width = (int)(le32(type + 12) & 0xFFFFFF) + 1;
            info->height = (int)(le32(type + 14) >> 8) + 1;
        }
        if (memcmp(type, "ANMF", 4) == 0 && length > 16 && info->first_bytes == 0) {
            info->animated = true;
            info->left = (int)(le32(type + 8) & 0xFFFFFF) * 2;
            info->top = (int)(le32(type + 10) >> 8) * 2;
            info->first = at + 24;
            info->first_bytes = length - 16;
        }
        if (memcmp(type, "EXIF", 4) == 0) {
            const uint8_t *body = type + 8;
            size_t skip = length >= 6 && memcmp(body, "Exif\0", 6) == 0 ? 6 : 0;
            info->orientation = exif_orientation(body + skip, length - skip);
        }
        at += 8 + length + (length & 1);
    }
}

static void put24(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
}

size_t vx_webp_first(const vx_image_info *info, const uint8_t *data, size_t bytes, uint8_t *still)
{
    const uint8_t *frame = data + info->first - 16; /* offset, size, time, flags */
    size_t used = 0;
    bool pixels = false;
    if (info->first > bytes || info->first_bytes > bytes - info->first) return 0;
    /* Alpha and the bit stream; what else a frame may hold nobody needs. */
    for (size_t at = 0; at + 8 <= info->first_bytes && !pixels;) {
        const uint8_t *chunk = data + info->first + at;
        size_t length = le32(chunk + 4);
        if (length > info->first_bytes - at - 8) return 0;
        size_t padded = 8 + length + (length & 1);
        if (padded > info->first_bytes - at) padded = 8 + length;
        pixels = memcmp(chunk, "VP8 ", 4) == 0 || memcmp(chunk, "VP8L", 4) == 0;
        if (pixels || memcmp(chunk, "ALPH", 4) == 0) {
            memcpy(still + VX_WEBP_HEAD + used, chunk, padded);
            used += padded;
        }
        at += padded;
    }
    if (!pixels) return 0;
    memcpy(still, "RIFF....WEBPVP8X\x0A\0\0\0\x10\0\0\0", 24); /* 0x10: alpha */
    put24(still + 4, (uint32_t)(VX_WEBP_HEAD + used - 8));
    still[7] = (uint8_t)((VX_WEBP_HEAD + used - 8) >> 24);
    memcpy(still + 24, frame + 6, 6); /* width and height, each less one, of three bytes */
    return VX_WEBP_HEAD + used;
}

/* Whole when the first image's last data block is there; what follows are later frames. */
static void probe_gif(vx_image_info *info, const uint8_t *data, size_t bytes)
{
    if (bytes < 13) return;
    size_t at = 13 + (data[10] & 0x80 ? (size_t)3 << ((data[10] & 7) + 1) : 0);
    while (at + 2 <= bytes) {
        bool image = data[at] == 0x2C;
        if (image) {
            if (bytes - at < 11) return;
            uint8_t flags = data[at + 9];
            at += 11 + (flags & 0x80 ? (size_t)3 << ((flags & 7) + 1) : 0);
        } else if (data[at] == 0x21) {
            at += 2;
        } else {
            return;
        }
        while (at < bytes && data[at] != 0)
            at += 1 + (size_t)data[at];
        if (at >= bytes) return;
        at++;
        if (image) {
            info->whole = true;
            return;
        }
    }
}

static bool starts(const uint8_t *data, size_t bytes, const char *magic, size_t length)
{
    return bytes >= length && memcmp(data, magic, length) == 0;
}

/* A TGA has no name in front, so everything that its 18 bytes say must be possible. */
static bool is_tga(const uint8_t *d, size_t bytes)
{
    if (bytes < 18 + 3) return false;
    uint32_t type = d[2] & 7, depth = d[16], map = d[1], width = le16(d + 12),
             height = le16(d + 14);
    bool kind = (d[2] & ~11) == 0 && type >= 1 && type <= 3;
    bool depths = type == 2 ? depth == 15 || depth == 16 || depth == 24 || depth == 32 : depth == 8;
    bool colours = type == 1 ? map == 1 && d[7] >= 15 && d[7] <= 32 : map == 0 || map == 1;
    size_t front = 18 + d[0] + (map == 1 ? (size_t)le16(d + 5) * ((d[7] + 7u) / 8) : 0);
    size_t pixels = (size_t)width * height * ((depth + 7) / 8);
    if (!kind || !depths || !colours || width < 1 || height < 1 || front >= bytes) return false;
    return (d[2] & 8) != 0 || pixels <= bytes - front;
}

/* Whether the runs of a compressed TGA make up all of its pixels. */
static bool tga_runs_are_whole(const uint8_t *d, size_t bytes)
{
    size_t pixel = (d[16] + 7u) / 8, left = (size_t)le16(d + 12) * le16(d + 14);
    size_t at = 18 + (size_t)d[0] + (d[1] == 1 ? (size_t)le16(d + 5) * ((d[7] + 7u) / 8) : 0);
    while (left > 0 && at < bytes) {
        size_t count = (d[at] & 127u) + 1;
        size_t length = 1 + (d[at] & 128 ? pixel : count * pixel);
        if (length > bytes - at) return false;
        at += length;
        left -= count < left ? count : left;
    }
    return left == 0;
}

/* The brands of ISO/IEC 23008-12 and of AVIF, in the file's first box. */
static bool is_heif(const uint8_t *data, size_t bytes)
{
    static const char brands[][5] = {"heic", "heix", "heim", "heis", "hevc",
                                     "mif1", "msf1", "avif", "avis"};
    if (bytes < 16 || memcmp(data + 4, "ftyp", 4) != 0) return false;
    for (size_t i = 0; i < sizeof brands / sizeof *brands; i++)
        if (memcmp(data + 8, brands[i], 4) == 0) return true;
    return false;
}

static bool is_pnm(const uint8_t *data, size_t bytes)
{
    if (bytes < 3 || data[0] != 'P' || data[1] < '1' || data[1] > '7') return false;
    return data[2] == ' ' || data[2] == '\n' || data[2] == '\r' || data[2] == '\t' ||
           data[2] == '#';
}

vx_image_info vx_image_probe(const uint8_t *data, size_t bytes)
{
    vx_image_info info = {.format = VX_IMAGE_UNKNOWN, .whole = true, .orientation = 1};
    if (starts(data, bytes, "\x89PNG\r\n\x1A\n", 8)) {
        info.format = VX_IMAGE_PNG;
        info.whole = false;
        probe_png(&info, data, bytes);
    } else if (starts(data, bytes, "\xFF\xD8\xFF", 3)) {
        info.format = VX_IMAGE_JPEG;
        info.whole = false;
        probe_jpeg(&info, data, bytes);
    } else if (bytes >= 16 && starts(data, bytes, "RIFF", 4) && memcmp(data + 8, "WEBP", 4) == 0) {
        info.format = VX_IMAGE_WEBP;
        probe_webp(&info, data, bytes);
    } else if (starts(data, bytes, "GIF87a", 6) || starts(data, bytes, "GIF89a", 6)) {
        info.format = VX_IMAGE_GIF;
        info.whole = false;
        probe_gif(&info, data, bytes);
    } else if (starts(data, bytes, "II*\0", 4) || starts(data, bytes, "MM\0*", 4)) {
        info.format = VX_IMAGE_TIFF;
        info.orientation = exif_orientation(data, bytes);
    } else if (starts(data, bytes, "qoif", 4)) {
        info.format = VX_IMAGE_QOI;
    } else if (starts(data, bytes, "BM", 2) && bytes >= 26) {
        info.format = VX_IMAGE_BMP;
        info.whole = le32(data + 2) <= bytes;
        /* The fourth byte is alpha where a mask says so (BITMAPV3INFOHEADER), else reserved. */
        uint32_t header = le32(data + 14);
        info.opaque = header < 56 || bytes < 70 || le32(data + 66) == 0;
    } else if (is_pnm(data, bytes)) {
        info.format = VX_IMAGE_PNM;
    } else if (is_heif(data, bytes)) {
        info.format = VX_IMAGE_HEIF;
    } else if (is_tga(data, bytes)) {
        info.format = VX_IMAGE_TGA;
        info.opaque = (data[17] & 15) == 0; /* bits of alpha */
        info.whole = (data[2] & 8) == 0 || tga_runs_are_whole(data, bytes);
    }
    return info;
}
