/* The command line's frame: what a command is, and what it is given.
 *
 *     vortex [global flags] COMMAND [flags] [words]
 *
 * Each command is one file, cmd_NAME.c, with one vx_command that stands in commands.c. Its flags
 * are rows of the same schema as recipes, so ranges, choices and defaults are written the same way;
 * the frame parses them into a zeroed struct of the command's own and calls run. What run returns
 * is the exit code, negated. */
#ifndef VX_CLI_CLI_H
#define VX_CLI_CLI_H

#include "base/cancel.h"
#include "base/uses.h"
#include "config/settings.h"

/* One flag; a required one must be given. BOOL flags take no value; the others take the next word,
 * or what follows '='. The last one given wins. */
typedef struct vx_flag {
    vx_field field;    /* key: the long name without its dashes; NULL ends a table */
    char letter;       /* 0: none */
    const char *value; /* what the help calls its value, "FILE"; NULL for a BOOL */
    const char *help;
    vx_use_kind use;     /* of a file's or a folder's path */
    const char *endings; /* of an output: vx_use */
} vx_flag;

/* A flag for a struct's member:
 *     VX_FLAG("speed", 0, "S", say_params, speed, FLOAT, "0.5 to 2", .min = 0.5, .max = 2) */
#define VX_FLAG(name, letter_, value_, params, member, kind, help_, ...)                           \
    {                                                                                              \
        .field = VX_ROW_AS(name, params, member, kind, __VA_ARGS__), .letter = letter_,            \
        .value = value_, .help = help_                                                             \
    }
/* The same for a path that is read or written. */
#define VX_FLAG_FILE(use_, endings_, name, letter_, value_, params, member, help_, ...)            \
    {                                                                                              \
        .field = VX_ROW_AS(name, params, member, WORD, __VA_ARGS__), .letter = letter_,            \
        .value = value_, .help = help_, .use = VX_USE_##use_, .endings = endings_                  \
    }
/* A LIST flag may be given several times; its member is this, and its words are not judged. */
enum { VX_FLAG_WORDS = 8 };
typedef struct vx_flag_words {
    const char *item[VX_FLAG_WORDS];
    int count;
} vx_flag_words;
#define VX_FLAGS_END                                                                               \
    {                                                                                              \
        .letter = 0                                                                                \
    }

typedef struct vx_command vx_command;

/* What every command is given. */
typedef struct vx_cli {
    const vx_command *command;
    const char **words; /* what is neither flag nor value */
    int word_count;
    /* Global flags as given; what the settings also say is merged into `settings`. */
    const char *config, *pack, *device;
    int64_t threads; /* -1: not given */
    int64_t seed;    /* -1: not given */
    bool json, quiet, version, help;
    int log_level;        /* -1: not given */
    uint64_t given;       /* which of the command's own flags, a bit for each row */
    vx_settings settings; /* the file's, overridden by the flags */
    vx_cancel *cancel;    /* set by SIGINT, SIGTERM and SIGHUP */
} vx_cli;

/* What a word of a command line is, for messages ("the portrait"), when it is a file. */
typedef struct vx_cli_word {
    vx_use_kind kind;
    const char *name;
} vx_cli_word;
enum { VX_WORD_USES = 2 }; /* further words are no files */

struct vx_command {
    const char *name;     /* "say"; of a group: "models pull" */
    const char *usage;    /* its words and required flags: "TEXT -o out.wav" */
    const char *summary;  /* one line */
    const char *details;  /* more lines for --help; NULL for none */
    const vx_flag *flags; /* NULL for none */
    size_t params_bytes;  /* of the struct that the flags fill */
    int words_min, words_max;
    vx_cli_word word[VX_WORD_USES];
    bool any_device; /* --device may also name a card by its datasheet */
    vx_status (*run)(vx_cli *cli, void *params, vx_error *err);
};

/* All commands in the order of the help, ended by NULL (commands.c). */
extern const vx_command *const vx_commands[];
/* The flags that every command takes. */
extern const vx_flag vx_global_flags[];

/* Parses argv. `params` receives the command's struct in a heap block, and cli->words another; free
 * both with vx_heap_free, also after a failure. VX_ERR_USAGE with the nearest flag or command and
 * the help to read. With --help or --version nothing else is checked. */
vx_status vx_cli_parse(vx_cli *cli, void **params, int argc, char **argv, vx_error *err);

/* Reads the settings' file again, overridden by the global flags. Close them in any case. */
vx_status vx_cli_settings(const vx_cli *cli, vx_settings *settings, vx_error *err);

/* "#rrggbb" into three bytes; NULL gives white. VX_ERR_USAGE. */
vx_status vx_cli_colour(const char *text, uint8_t rgb[3], vx_error *err);

/* Whether the files that the command reads and writes go together and can be
 * written (base/uses.h). */
vx_status vx_cli_check_uses(const vx_cli *cli, const void *params, vx_error *err);

/* The help text of a command, of a group ("models") or, for NULL, of the program, to stdout. */
void vx_cli_help(const char *name);

#endif
