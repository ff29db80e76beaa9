#include "backend/cpu/source.inc"
