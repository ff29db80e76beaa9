#include "backend/cpu/lstm_step.inc"
