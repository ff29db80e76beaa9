/* The files of a command line, gathered from its tables and looked at together. */
#include <stdio.h>

#include "cli/cli.h"

enum { USES_MAX = 24 };

static void add(vx_use *uses, int *count, vx_use use)
{
    if (use.kind == VX_USE_OUT_EITHER && use.path != NULL) {
        bool folder = vx_names_folder(use.path);
        use.kind = folder ? VX_USE_OUT_FOLDER : VX_USE_OUT;
        if (folder) use.endings = NULL;
    }
    if (use.kind != VX_USE_NONE && use.path != NULL && *count < USES_MAX) uses[(*count)++] = use;
}

vx_status vx_cli_check_uses(const vx_cli *cli, const void *params, vx_error *err)
{
    char names[USES_MAX][40];
    vx_use uses[USES_MAX];
    int count = 0;
    const vx_command *command = cli->command;
    for (int i = 0; i < cli->word_count && i < VX_WORD_USES; i++)
        add(uses, &count,
            (vx_use){command->word[i].kind, command->word[i].name, cli->words[i], NULL});
    for (const vx_flag *f = command->flags; f != NULL && f->field.key != NULL; f++) {
        if (f->use == VX_USE_NONE) continue;
        const char *path = *(const char *const *)((const char *)params + f->field.offset);
        snprintf(names[count], sizeof names[count], "--%s", f->field.key);
        add(uses, &count, (vx_use){f->use, names[count], path, f->endings});
    }
    add(uses, &count, (vx_use){VX_USE_IN, "--config", cli->config, NULL});
    if (cli->json) add(uses, &count, (vx_use){VX_USE_OUT, "--json", "-", NULL});
    return vx_uses_check(uses, count, err);
}
