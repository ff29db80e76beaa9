#include "backend/cpu/taps.inc"
