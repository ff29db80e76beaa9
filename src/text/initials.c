#include "text/expand.h"
bool vx_expand_initialism(vx_expansion *x, size_t i)
{
    (void)x;
    (void)i;
    return false;
}
