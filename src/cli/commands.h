/* The commands. Each is defined in its cmd_NAME.c; commands.c holds the list. */
#ifndef VX_CLI_COMMANDS_H
#define VX_CLI_COMMANDS_H

#include "cli/cli.h"

extern const vx_command vx_command_generate;
extern const vx_command vx_command_say;
extern const vx_command vx_command_voices;
extern const vx_command vx_command_imagine;
extern const vx_command vx_command_animate;
extern const vx_command vx_command_face;
extern const vx_command vx_command_score;
extern const vx_command vx_command_serve;
extern const vx_command vx_command_plan;
extern const vx_command vx_command_bench;
extern const vx_command vx_command_models_list;
extern const vx_command vx_command_models_inspect;
extern const vx_command vx_command_models_convert;
extern const vx_command vx_command_models_pull;
extern const vx_command vx_command_models_synth;
extern const vx_command vx_command_doctor;
extern const vx_command vx_command_completions;

#endif
