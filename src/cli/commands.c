#include "cli/commands.h"

/* One a line, so that two additions do not meet. */
/* clang-format off */
const vx_command *const vx_commands[] = {
    &vx_command_generate,
    &vx_command_say,
    &vx_command_voices,
    &vx_command_imagine,
    &vx_command_animate,
    &vx_command_face,
    &vx_command_score,
    &vx_command_serve,
    &vx_command_plan,
    &vx_command_bench,
    &vx_command_models_list,
    &vx_command_models_inspect,
    &vx_command_models_convert,
    &vx_command_models_pull,
    &vx_command_models_synth,
    &vx_command_doctor,
    &vx_command_completions,
    NULL,
};
/* clang-format on */
