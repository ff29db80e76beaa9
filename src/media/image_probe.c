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
        if (memcmp(type, "ANIM", 4) == 0) info->animated = true;
        if (memcmp(type, "EXIF", 4) == 0) {
            const uint8_t *body = type + 8;
            size_t skip = length >= 6 && memcmp(body, "Exif\0", 6) == 0 ? 6 : 0;
            info->orientation = exif_orientation(body + skip, length - skip);
        }
        at += 8 + length + (length & 1);
    }
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
    } else if (is_pnm(data, bytes)) {
        info.format = VX_IMAGE_PNM;
    }
    return info;
}
