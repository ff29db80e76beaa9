#include "backend/cpu/spade.inc"
