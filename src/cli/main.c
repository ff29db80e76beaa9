/* vortex: reads the command line and the settings, runs one command, turns its status into an exit
 * code. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/mem.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/wait.h"
#include "cli/cli.h"
#include "cli/json_out.h"

/* The largest block that FFmpeg may take. What media need is bounded one by one (media/av.h), the
 * largest is a picture of 96 MB; this bounds what nobody has thought of. It holds for the whole
 * process, so it is a program's to say and not the library's. */
enum { BLOCK_BYTES = 128 << 20 };

static vx_cancel interrupted;

/* The first signal asks; work stops at the next tile and cleans up behind itself. The second does
 * not wait for that. */
static void on_signal(int number)
{
    (void)number;
    if (vx_cancelled(&interrupted)) {
        vx_outfile_sweep();
        _exit(-VX_ERR_CANCELLED);
    }
    vx_cancel_ask(&interrupted);
}

/* What the parent ignores stays ignored: nohup, and interrupts of jobs in a script's background. */
static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal}, inherited;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &inherited) == 0 && inherited.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an I/O error like any other */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file that may not grow further */
}

/* --json wherever it stands, so that an error of the command line itself is JSON too. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0) return true;
    return false;
}

vx_status vx_cli_settings(const vx_cli *cli, vx_settings *settings, vx_error *err)
{
    VX_TRY(vx_settings_read(settings, cli->config, err));
    if (cli->device != NULL) settings->device = cli->device;
    if (cli->pack != NULL) settings->pack = cli->pack;
    if (cli->threads >= 0) settings->threads = cli->threads;
    if (cli->log_level >= 0) settings->log_level = cli->log_level;
    return VX_OK;
}

static vx_status load_settings(vx_cli *cli, vx_error *err)
{
    VX_TRY(vx_cli_settings(cli, &cli->settings, err));
    vx_log_setup((vx_log_level)cli->settings.log_level, !isatty(STDERR_FILENO));
    return VX_OK;
}

static vx_status run(vx_cli *cli, int argc, char **argv, vx_error *err)
{
    void *params;
    vx_status status = vx_cli_parse(cli, &params, argc, argv, err);
    if (status == VX_OK && cli->version && !cli->help)
        status = cli->json ? vx_json_print(json_pack("{s:s}", "version", VX_VERSION), err)
                           : (printf("vortex %s\n", VX_VERSION), VX_OK);
    else if (status == VX_OK && !cli->help) {
        status = load_settings(cli, err);
        if (status == VX_OK) status = vx_cli_check_uses(cli, params, err);
        if (status == VX_OK) status = cli->command->run(cli, params, err);
    }
    if (fflush(stdout) != 0 && status == VX_OK)
        status = vx_fail(err, VX_ERR_IO, "write_failed",
                         "cannot write standard output; is the disk full or the pipe closed?");
    vx_heap_free(params);
    vx_heap_free(cli->words);
    vx_settings_close(&cli->settings);
    return status;
}

/* One sentence on stderr, and with --json the same as a document on stdout, unless the command has
 * printed its own. */
static void tell(const vx_error *err, bool json)
{
    if (err->file[0] != '\0' && err->line > 0)
        fprintf(stderr, "vortex: %s:%d: %s\n", err->file, err->line, err->message);
    else
        fprintf(stderr, "vortex: %s\n", err->message);
    if (json && !vx_json_printed()) (void)vx_json_print(vx_json_error(err), NULL);
}

/* Every stage has a thread of its own, and glibc gives threads that run side by side heaps of their
 * own, up to eight a processor, each of which keeps what an encoder once took: 90 MB after 750
 * jobs of six clients, beyond what was planned; with two heaps nothing. */
static void share_heaps(void)
{
#if defined(__GLIBC__)
    mallopt(M_ARENA_MAX, 2);
#endif
}

int main(int argc, char **argv)
{
    catch_signals();
    av_max_alloc(BLOCK_BYTES);
    share_heaps();
    vx_wait_scope(&interrupted);
    vx_cli cli = {.cancel = &interrupted};
    vx_error err = {0};
    static vx_warnings warnings;
    vx_warnings_init(&warnings);
    vx_warnings_scope(&warnings);
    vx_json_warnings(&warnings);
    vx_status status = run(&cli, argc, argv, &err);
    if (status != VX_OK) tell(&err, wants_json(argc, argv));
    return -status;
}
