#include "media/turn.h"

#include <string.h>

void vx_turn(const vx_picture *from, int orientation, const vx_picture *to)
{
    bool swap = vx_turn_swaps(orientation);
    bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    for (int y = 0; y < to->height; y++) {
        uint8_t *dst = vx_picture_row(to, y);
        for (int x = 0; x < to->width; x++, dst += 3) {
            int source_x = swap ? y : x, source_y = swap ? x : y;
            if (from_right) source_x = from->width - 1 - source_x;
            if (from_bottom) source_y = from->height - 1 - source_y;
            memcpy(dst, vx_picture_row(from, source_y) + (ptrdiff_t)source_x * 3, 3);
        }
    }
}

int vx_turn_of_matrix(const int32_t matrix[9])
{
    /* x' = a x + c y, y' = b x + d y. */
    int32_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
    if (b == 0 && c == 0 && a != 0 && d != 0) return a > 0 ? (d > 0 ? 1 : 4) : (d > 0 ? 2 : 3);
    if (a == 0 && d == 0 && b != 0 && c != 0) return b > 0 ? (c > 0 ? 5 : 6) : (c > 0 ? 8 : 7);
    return 1;
}
