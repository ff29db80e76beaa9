#include "backend/cpu/moving.inc"
