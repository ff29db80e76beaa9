#include "backend/cpu/spectrum.inc"
