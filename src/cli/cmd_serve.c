/* vortex serve: the resident engine over HTTP. */
#include <string.h>

#include "base/pool.h"
#include "cli/commands.h"
#include "server/server.h"

typedef struct serve_params {
    vx_flag_words listen, allow_hosts, cors;
    const char *api_key_file, *public_url, *results, *studio_dir;
    bool metrics_open, no_studio;
} serve_params;

typedef struct command {
    vx_cli *cli;
    serve_params *params;
} command;

static void override(vx_list *list, vx_flag_words *words)
{
    if (words->count > 0) *list = (vx_list){.items = words->item, .count = words->count};
}

/* What the command line says beats what the file says. */
static void apply(serve_params *p, vx_settings *settings)
{
    vx_serve_settings *s = &settings->serve;
    override(&s->listen, &p->listen);
    override(&s->allow_hosts, &p->allow_hosts);
    override(&s->cors, &p->cors);
    if (p->api_key_file != NULL) s->api_key_file = p->api_key_file;
    if (p->public_url != NULL) s->public_url = p->public_url;
    if (p->results != NULL) s->results = p->results;
    if (p->studio_dir != NULL) s->studio_dir = p->studio_dir;
    if (p->no_studio) s->studio = false;
    if (p->metrics_open) s->metrics_open = true;
}

static vx_status reload(void *arg, vx_settings *settings, vx_error *err)
{
    command *c = arg;
    VX_TRY(vx_cli_settings(c->cli, settings, err));
    apply(c->params, settings);
    return VX_OK;
}

static vx_status run_serve(vx_cli *cli, void *raw, vx_error *err)
{
    serve_params *p = raw;
    char level[8];
    command c = {cli, p};
    if (p->public_url != NULL && strncmp(p->public_url, "http://", 7) != 0 &&
        strncmp(p->public_url, "https://", 8) != 0)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "--public-url is '%.60s' and must begin with http:// or https://",
                       p->public_url);
    apply(p, &cli->settings);
    vx_serve_params params = {
        .settings = &cli->settings,
        .open = {.settings = cli->config,
                 .pack = cli->pack,
                 .device = cli->device,
                 .threads = cli->threads > 0 ? (int)cli->threads : 0,
                 .log_level = vx_choice_name(VX_LOG_LEVEL_NAMES, cli->settings.log_level, level,
                                             sizeof level)},
        .reload = reload,
        .reload_arg = &c,
        .json = cli->json,
        .quiet = cli->quiet};
    return vx_serve(&params, err);
}

static const vx_flag flags[] = {
    VX_FLAG("listen", 0, "WHERE", serve_params, listen, LIST,
            "ADDRESS:PORT or unix:PATH, several times; 127.0.0.1:8420, port 0 is any free one"),
    VX_FLAG("api-key-file", 0, "FILE", serve_params, api_key_file, WORD,
            "keys, one a line: name:key or name:sha256:HEX"),
    VX_FLAG("public-url", 0, "URL", serve_params, public_url, WORD,
            "how clients see the server behind a proxy, with its base path"),
    VX_FLAG("allow-host", 0, "NAME", serve_params, allow_hosts, LIST,
            "another name that clients may ask for, several times"),
    VX_FLAG("cors", 0, "ORIGIN", serve_params, cors, LIST,
            "pages of this origin may ask, several times"),
    VX_FLAG("results", 0, "DIR", serve_params, results, WORD,
            "the folder of jobs and films; $XDG_STATE_HOME/vortex/results"),
    VX_FLAG("studio-dir", 0, "DIR", serve_params, studio_dir, WORD,
            "the studio's files from a folder instead of those compiled in"),
    VX_FLAG("no-studio", 0, NULL, serve_params, no_studio, BOOL, "no pages at /"),
    VX_FLAG("metrics-open", 0, NULL, serve_params, metrics_open, BOOL, "/metrics needs no key"),
    VX_FLAGS_END,
};

const vx_command vx_command_serve = {
    .name = "serve",
    .usage = "",
    .summary = "the resident engine over HTTP",
    .details = "Serves until SIGTERM or SIGINT; what runs may end (serve.drain_ms), what waits is "
               "taken up by the\nnext server. A second signal cancels. SIGHUP reads keys, limits "
               "and the log's level again.",
    .flags = flags,
    .params_bytes = sizeof(serve_params),
    .run = run_serve,
};
