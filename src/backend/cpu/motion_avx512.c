#include "backend/cpu/motion.inc"
