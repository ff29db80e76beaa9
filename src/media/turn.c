#include "media/turn.h"

#include <string.h>

void vx_turn_row(const uint8_t *row, int y, int width, int height, int orientation,
                 const vx_picture *to)
{
    bool swap = vx_turn_swaps(orientation);
    bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    if (orientation <= 1) {
        memcpy(vx_picture_row(to, y), row, (size_t)width * 3);
        return;
    }
    int turned_y = from_bottom ? height - 1 - y : y;
    for (int x = 0; x < width; x++, row += 3) {
        int turned_x = from_right ? width - 1 - x : x;
        int out_x = swap ? turned_y : turned_x, out_y = swap ? turned_x : turned_y;
        memcpy(vx_picture_row(to, out_y) + (ptrdiff_t)out_x * 3, row, 3);
    }
}

void vx_turn(const vx_picture *from, int orientation, const vx_picture *to)
{
    for (int y = 0; y < from->height; y++)
        vx_turn_row(vx_picture_row(from, y), y, from->width, from->height, orientation, to);
}

int vx_turn_of_matrix(const int32_t matrix[9])
{
    /* x' = a x + c y, y' = b x + d y. */
    int32_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
    if (b == 0 && c == 0 && a != 0 && d != 0) return a > 0 ? (d > 0 ? 1 : 4) : (d > 0 ? 2 : 3);
    if (a == 0 && d == 0 && b != 0 && c != 0) return b > 0 ? (c > 0 ? 5 : 6) : (c > 0 ? 8 : 7);
    return 1;
}
