#include "base/ending.h"

#include <string.h>

const char *vx_ending(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot == NULL || dot == name ? path + strlen(path) : dot + 1;
}
