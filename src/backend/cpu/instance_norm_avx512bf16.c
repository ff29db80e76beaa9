#include "backend/cpu/instance_norm.inc"
