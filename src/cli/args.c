#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "backend/backend.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "config/recipe.h"

const vx_flag vx_global_flags[] = {
    VX_FLAG("config", 0, "FILE", vx_cli, config, WORD,
            "settings instead of $XDG_CONFIG_HOME/vortex/vortex.yaml"),
    VX_FLAG("pack", 0, "NAME|DIR", vx_cli, pack, WORD, "the pack: a folder or a name"),
    VX_FLAG("device", 0, "DEVICE", vx_cli, device, WORD, VX_DEVICES),
    VX_FLAG("threads", 0, "N", vx_cli, threads, INT, "worker threads; 0: all processors", .min = 0,
            .max = VX_WORKERS_MAX, .fallback = "-1"),
    VX_FLAG("seed", 0, "N", vx_cli, seed, INT, "seed of everything random; overrides the recipe's",
            .min = 0, .max = 0x1p63, .fallback = "-1"),
    VX_FLAG("json", 0, NULL, vx_cli, json, BOOL, "one JSON document on stdout, nothing else"),
    VX_FLAG("quiet", 0, NULL, vx_cli, quiet, BOOL, "no progress bars"),
    VX_FLAG("log-level", 0, "LEVEL", vx_cli, log_level, ENUM, "error, warn, info or debug",
            .choices = VX_LOG_LEVEL_NAMES),
    VX_FLAG("version", 0, NULL, vx_cli, version, BOOL, "print the version and exit"),
    VX_FLAG("help", 'h', NULL, vx_cli, help, BOOL, "print this help and exit"),
    VX_FLAGS_END,
};

static void set_defaults(const vx_flag *flags, void *params)
{
    for (const vx_flag *flag = flags; flag != NULL && flag->field.key != NULL; flag++) {
        const vx_field one[] = {flag->field, VX_ROWS_END};
        vx_schema_defaults(one, params);
    }
}

/* Whether `name` is the name of a flag, long or (with one letter) short. */
static const vx_flag *find_flag(const vx_flag *flags, const char *name, size_t length, bool letter)
{
    for (const vx_flag *flag = flags; flag != NULL && flag->field.key != NULL; flag++)
        if (letter
                ? flag->letter == name[0]
                : strlen(flag->field.key) == length && memcmp(flag->field.key, name, length) == 0)
            return flag;
    return NULL;
}

/* "vortex say --help", where a usage error sends its reader. */
static const char *help_of(const vx_cli *cli, char buffer[64])
{
    if (cli->command == NULL)
        snprintf(buffer, 64, "vortex --help");
    else
        snprintf(buffer, 64, "vortex %s --help", cli->command->name);
    return buffer;
}

static vx_status refuse_flag(const vx_cli *cli, const char *text, size_t length, vx_error *err)
{
    char name[64], help[64];
    snprintf(name, sizeof name, "%.*s", (int)length, text);
    const char *bare = name + strspn(name, "-");
    vx_nearest nearest = {.word = bare};
    for (const vx_flag *flag = vx_global_flags; flag->field.key != NULL; flag++)
        vx_nearest_offer(&nearest, flag->field.key);
    const vx_flag *own = cli->command != NULL ? cli->command->flags : NULL;
    for (; own != NULL && own->field.key != NULL; own++)
        vx_nearest_offer(&nearest, own->field.key);
    if (nearest.best != NULL)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "unknown flag %s; did you mean --%s? See '%s'", name, nearest.best,
                       help_of(cli, help));
    return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                   "unknown flag %s; see '%s' (a text that begins with '-' goes after '--')", name,
                   help_of(cli, help));
}

static vx_status set_flag(vx_cli *cli, void *params, const vx_flag *flag, bool global,
                          const char *value, vx_error *err)
{
    char reason[VX_FIELD_REASON], help[64];
    assert(global || params != NULL);
    void *place = (char *)(global ? (void *)cli : params) + flag->field.offset;
    if (flag->field.type == VX_FIELD_BOOL) {
        *(bool *)place = true;
        return VX_OK;
    }
    if (flag->field.type == VX_FIELD_LIST) {
        vx_flag_words *words = place;
        if (words->count == VX_FLAG_WORDS)
            return vx_fail(err, VX_ERR_USAGE, "bad_usage", "--%s may be given %d times at most",
                           flag->field.key, VX_FLAG_WORDS);
        words->item[words->count++] = value;
        return VX_OK;
    }
    if (vx_field_convert(&flag->field, value, strlen(value), false, false, place, reason)) {
        if (!global) cli->given |= UINT64_C(1) << (flag - cli->command->flags);
        return VX_OK;
    }
    return vx_fail(err, VX_ERR_USAGE, "bad_usage", "--%s %s; see '%s'", flag->field.key, reason,
                   help_of(cli, help));
}

/* Takes argv[*at], a flag, and its value if that is the next word. */
static vx_status take_flag(vx_cli *cli, void *params, int argc, char **argv, int *at, vx_error *err)
{
    const char *text = argv[*at];
    bool letter = text[1] != '-';
    const char *name = text + (letter ? 1 : 2);
    size_t length = letter ? 1 : strcspn(name, "=");
    const vx_flag *flag =
        cli->command != NULL ? find_flag(cli->command->flags, name, length, letter) : NULL;
    bool global = flag == NULL;
    if (global) flag = find_flag(vx_global_flags, name, length, letter);
    bool takes_value = flag != NULL && flag->field.type != VX_FIELD_BOOL;
    const char *attached = name[length] == '\0' ? NULL : name + length + !letter;
    if (flag == NULL || (attached != NULL && !takes_value && letter))
        return refuse_flag(cli, text, letter ? 2 : length + 2, err);
    char help[64];
    if (attached != NULL && !takes_value)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "--%s takes no value; see '%s'",
                       flag->field.key, help_of(cli, help));
    if (takes_value && attached == NULL && *at + 1 >= argc)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "--%s needs a value, %s; see '%s'",
                       flag->field.key, flag->value, help_of(cli, help));
    if (takes_value && attached == NULL) attached = argv[++*at];
    return set_flag(cli, params, flag, global, attached, err);
}

/* The command whose name is the words before `at` and this one; *partial when it is a group's. */
static const vx_command *find_command(const char *name, bool *partial)
{
    size_t length = strlen(name);
    *partial = false;
    for (int i = 0; vx_commands[i] != NULL; i++) {
        if (strcmp(vx_commands[i]->name, name) == 0) return vx_commands[i];
        *partial |=
            strncmp(vx_commands[i]->name, name, length) == 0 && vx_commands[i]->name[length] == ' ';
    }
    return NULL;
}

static vx_status refuse_command(const char *name, vx_error *err)
{
    vx_nearest nearest = {.word = name};
    char groups[16][24];
    for (int i = 0, group = 0; vx_commands[i] != NULL; i++) {
        const char *whole = vx_commands[i]->name, *space = strchr(whole, ' ');
        vx_nearest_offer(&nearest, whole);
        if (space == NULL || group == 16) continue;
        snprintf(groups[group], sizeof groups[0], "%.*s", (int)(space - whole), whole);
        vx_nearest_offer(&nearest, groups[group++]);
    }
    if (nearest.best != NULL)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "unknown command '%.60s'; did you mean '%s'? See 'vortex --help'", name,
                       nearest.best);
    return vx_fail(err, VX_ERR_USAGE, "bad_usage", "unknown command '%.60s'; see 'vortex --help'",
                   name);
}

/* Takes a word that is no flag: a part of the command's name, or an argument of it. `name` gathers
 * the parts. */
static vx_status take_word(vx_cli *cli, void **params, char name[64], const char *word,
                           vx_error *err)
{
    if (cli->command != NULL) {
        cli->words[cli->word_count++] = word;
        return VX_OK;
    }
    size_t used = strlen(name);
    snprintf(name + used, 64 - used, "%s%s", used > 0 ? " " : "", word);
    bool partial;
    cli->command = find_command(name, &partial);
    if (cli->command == NULL) return partial ? VX_OK : refuse_command(name, err);
    *params = vx_heap_alloc(cli->command->params_bytes);
    if (*params == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to start");
    set_defaults(cli->command->flags, *params);
    return VX_OK;
}

static vx_status check_required(const vx_cli *cli, vx_error *err)
{
    char help[64];
    const vx_flag *flags = cli->command->flags;
    for (int i = 0; flags != NULL && flags[i].field.key != NULL; i++)
        if (flags[i].field.required && (cli->given >> i & 1) == 0)
            return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                           "--%s %s is missing: usage: vortex %s %s; see '%s'", flags[i].field.key,
                           flags[i].value, cli->command->name, cli->command->usage,
                           help_of(cli, help));
    return VX_OK;
}

static vx_status check_words(const vx_cli *cli, const char *name, vx_error *err)
{
    char help[64];
    const vx_command *command = cli->command;
    if (command == NULL && name[0] != '\0')
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "'%s' needs one more word; see 'vortex %s --help'", name, name);
    if (command == NULL)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "no command given; see 'vortex --help'");
    if (cli->word_count >= command->words_min && cli->word_count <= command->words_max)
        return VX_OK;
    return vx_fail(err, VX_ERR_USAGE, "bad_usage", "%s: usage: vortex %s %s; see '%s'",
                   cli->word_count < command->words_min ? "something is missing"
                                                        : "there is a word too many",
                   command->name, command->usage, help_of(cli, help));
}

vx_status vx_cli_parse(vx_cli *cli, void **params, int argc, char **argv, vx_error *err)
{
    *params = NULL;
    set_defaults(vx_global_flags, cli);
    cli->words = vx_heap_alloc((size_t)argc * sizeof(char *));
    if (cli->words == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to start");
    char name[64] = "";
    bool flags_over = false;
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        if (!flags_over && strcmp(word, "--") == 0)
            flags_over = true;
        else if (!flags_over && word[0] == '-' && word[1] != '\0')
            VX_TRY(take_flag(cli, *params, argc, argv, &at, err));
        else
            VX_TRY(take_word(cli, params, name, word, err));
    }
    if (cli->help) {
        vx_cli_help(name[0] != '\0' ? name : NULL);
        return VX_OK;
    }
    if (cli->version) return VX_OK;
    bool any_device = cli->command != NULL && cli->command->any_device;
    if (cli->device != NULL) {
        vx_status named = vx_backend_device_named(cli->device, err);
        if (named != VX_OK && (named != VX_ERR_USAGE || !any_device)) return named;
    }
    VX_TRY(check_words(cli, name, err));
    return check_required(cli, err);
}

static void print_flags(const char *title, const vx_flag *flags)
{
    if (flags == NULL || flags->field.key == NULL) return;
    printf("\n%s:\n", title);
    for (const vx_flag *flag = flags; flag->field.key != NULL; flag++) {
        char left[64], letter[8] = "    ";
        if (flag->letter != 0) snprintf(letter, sizeof letter, "-%c, ", flag->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, flag->field.key,
                 flag->value != NULL ? " " : "", flag->value != NULL ? flag->value : "");
        printf("  %-28s %s\n", left, flag->help);
    }
}

static void print_commands(const char *group)
{
    size_t length = group != NULL ? strlen(group) : 0;
    printf("\nCommands:\n");
    for (int i = 0; vx_commands[i] != NULL; i++)
        if (group == NULL || strncmp(vx_commands[i]->name, group, length) == 0)
            printf("  %-16s %s\n", vx_commands[i]->name, vx_commands[i]->summary);
}

void vx_cli_help(const char *name)
{
    bool partial;
    const vx_command *command = name != NULL ? find_command(name, &partial) : NULL;
    if (command == NULL) {
        printf("vortex: a recipe becomes a talking head\n\n"
               "Usage: vortex [global flags] %s%sCOMMAND [flags]\n",
               name != NULL ? name : "", name != NULL ? " " : "");
        print_commands(name);
        print_flags("Global flags", vx_global_flags);
        printf("\nExit codes: 0 done, 1 internal fault, 2 wrong usage, 3 bad input, 4 something is "
               "missing,\n5 does not fit the memory, 6 deadline or busy, 7 cancelled, 8 device or "
               "I/O error,\n9 verification failed.\n\n"
               "'vortex COMMAND --help' tells more of one command.\n");
        return;
    }
    printf("%s\n\nUsage: vortex [global flags] %s %s\n", command->summary, command->name,
           command->usage);
    const char *details = command->details;
    if (details != NULL)
        printf("\n%s%s", details, details[strlen(details) - 1] == '\n' ? "" : "\n");
    print_flags("Flags", command->flags);
    print_flags("Global flags", vx_global_flags);
}

vx_status vx_cli_colour(const char *text, uint8_t rgb[3], vx_error *err)
{
    if (vx_colour_read(text != NULL ? text : "#ffffff", rgb)) return VX_OK;
    return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                   "--background is '%.40s' and must be a colour, #rrggbb", text);
}
