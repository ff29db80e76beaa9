#include "backend/cpu/softmax.inc"
