#include "backend/cpu/picture.inc"
