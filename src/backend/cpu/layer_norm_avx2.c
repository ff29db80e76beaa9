#include "backend/cpu/layer_norm.inc"
