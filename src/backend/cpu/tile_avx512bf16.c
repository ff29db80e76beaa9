#include "backend/cpu/tile.inc"
