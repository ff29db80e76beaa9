/* vortex models convert: a weight file of another type or format. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "formats/convert.h"

#define TYPE_NAMES "f32|f16|bf16|q8_0|q4_0|nf4"
static const vx_dtype types[] = {VX_F32, VX_F16, VX_BF16, VX_Q8_0, VX_Q4_0, VX_NF4};

typedef struct convert_params {
    int to;
} convert_params;

static void show(void *arg, double share)
{
    vx_progress_update(arg, (uint64_t)(share * 1000), 1000);
}

static vx_status run_convert(vx_cli *cli, void *params, vx_error *err)
{
    const convert_params *flags = params;
    vx_progress progress;
    vx_progress_start(&progress, cli->quiet, "convert", "");
    vx_convert_params convert = {.in = cli->words[0],
                                 .out = cli->words[1],
                                 .to = types[flags->to],
                                 .cancel = cli->cancel,
                                 .progress = show,
                                 .progress_arg = &progress};
    vx_convert_report report;
    vx_status status = vx_convert(&convert, &report, err);
    vx_progress_end(&progress);
    VX_TRY(status);
    if (cli->json)
        return vx_json_print(
            json_pack("{s:o, s:s, s:I, s:I, s:I}", "file", vx_json_text(convert.out), "to",
                      vx_dtype_name(convert.to), "tensors", (json_int_t)report.tensors, "quantised",
                      (json_int_t)report.quantised, "bytes", (json_int_t)report.bytes),
            err);
    printf("%s: %" PRId64 " tensors, %" PRId64 " quantised, %.1f MB\n", convert.out, report.tensors,
           report.quantised, (double)report.bytes * 1e-6);
    return VX_OK;
}

static const vx_flag convert_flags[] = {
    VX_FLAG("to", 0, "TYPE", convert_params, to, ENUM, "f32, f16, bf16, q8_0, q4_0 or nf4",
            .required = true, .choices = TYPE_NAMES),
    VX_FLAGS_END,
};

const vx_command vx_command_models_convert = {
    .name = "models convert",
    .usage = "IN OUT --to TYPE",
    .summary = "writes a weight file as safetensors or GGUF, in another type",
    .details = "OUT is .safetensors (f32, f16, bf16, nf4) or .gguf (f32, f16, bf16, q8_0, q4_0).\n",
    .flags = convert_flags,
    .params_bytes = sizeof(convert_params),
    .words_min = 2,
    .words_max = 2,
    .word = {{VX_USE_IN, "the input"}, {VX_USE_OUT, "the output"}},
    .run = run_convert,
};
