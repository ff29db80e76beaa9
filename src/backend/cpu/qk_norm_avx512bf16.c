#include "backend/cpu/qk_norm.inc"
