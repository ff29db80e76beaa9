/* vortex completions: what a shell needs to complete the command line, and the pages of the manual
 * that the flag tables know. All of it is made from the tables, so a new flag is in it. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

static bool has_flags(const vx_flag *flags)
{
    return flags != NULL && flags->field.key != NULL;
}

/* The first word of a command's name: itself, or its group. */
static int first_word(const char *name)
{
    return (int)strcspn(name, " ");
}

/* Whether this command is the first of its group, "models" of "models list". */
static bool opens_group(int at)
{
    const char *name = vx_commands[at]->name;
    int length = first_word(name);
    if (name[length] == '\0') return false;
    for (int i = 0; i < at; i++)
        if (strncmp(vx_commands[i]->name, name, (size_t)length + 1) == 0) return false;
    return true;
}

static void print_words(const char *words, const char *separator)
{
    for (const char *at = words; at != NULL && *at != '\0'; at += *at == '|') {
        size_t length = strcspn(at, "|");
        printf("%s%.*s", at != words ? separator : "", (int)length, at);
        at += length;
    }
}

/* ---- bash ----------------------------------------------------------------------------------- */

static void bash_flags(const vx_flag *flags)
{
    for (const vx_flag *flag = flags; has_flags(flag); flag++)
        printf(" --%s", flag->field.key);
}

/* "--a|--b" of the flags that take a value, or only of those whose value is a path. */
static void bash_patterns(const vx_flag *flags, bool paths, bool *any)
{
    for (const vx_flag *flag = flags; has_flags(flag); flag++) {
        if (flag->field.type == VX_FIELD_BOOL || (paths && flag->use == VX_USE_NONE)) continue;
        printf("%s--%s", *any ? "|" : "", flag->field.key);
        if (flag->letter != 0) printf("|-%c", flag->letter);
        *any = true;
    }
}

/* What follows a flag: its choices, a file, or something that cannot be guessed. */
static void bash_values(const vx_flag *flags, const char *command)
{
    for (const vx_flag *flag = flags; has_flags(flag); flag++)
        if (flag->field.choices != NULL) {
            printf("    %s:--%s) COMPREPLY=($(compgen -W '", command, flag->field.key);
            print_words(flag->field.choices, " ");
            printf("' -- \"$cur\")); return ;;\n");
        }
}

static void bash_after_flag(void)
{
    bool any = true; /* --config and --pack are paths that no table marks */
    printf("    case $command:$prev in\n");
    bash_values(vx_global_flags, "*");
    for (int i = 0; vx_commands[i] != NULL; i++) {
        char quoted[80];
        snprintf(quoted, sizeof quoted, "'%s'", vx_commands[i]->name);
        bash_values(vx_commands[i]->flags, quoted);
    }
    printf("    esac\n    case $prev in\n    --config|--pack");
    for (int i = 0; vx_commands[i] != NULL; i++)
        bash_patterns(vx_commands[i]->flags, true, &any);
    printf(") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n    ");
    any = false;
    bash_patterns(vx_global_flags, false, &any);
    for (int i = 0; vx_commands[i] != NULL; i++)
        bash_patterns(vx_commands[i]->flags, false, &any);
    printf(") return ;;\n    esac\n");
}

static void bash_find_command(void)
{
    bool any = false;
    printf("# vortex(1), made by 'vortex completions bash'\n"
           "_vortex() {\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= i\n"
           "    COMPREPLY=()\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        case ${COMP_WORDS[i]} in\n        ");
    bash_patterns(vx_global_flags, false, &any);
    printf(") ((i++)) ;;\n        -*) ;;\n        *)\n"
           "            case \"$command${command:+ }${COMP_WORDS[i]}\" in\n            ");
    for (int i = 0; vx_commands[i] != NULL; i++) {
        const char *name = vx_commands[i]->name;
        if (opens_group(i)) printf("'%.*s'|", first_word(name), name);
        printf("'%s'%s", name, vx_commands[i + 1] != NULL ? "|" : "");
    }
    printf(") command=\"$command${command:+ }${COMP_WORDS[i]}\" ;;\n"
           "            esac ;;\n        esac\n    done\n");
}

static void bash(void)
{
    bash_find_command();
    bash_after_flag();
    printf("    local words=\"");
    bash_flags(vx_global_flags);
    printf(" -h\"\n    case $command in\n    '') words=\"$words");
    for (int i = 0; vx_commands[i] != NULL; i++) {
        const char *name = vx_commands[i]->name;
        if (name[first_word(name)] == '\0' || opens_group(i))
            printf(" %.*s", first_word(name), name);
    }
    printf("\" ;;\n");
    for (int i = 0; vx_commands[i] != NULL; i++) {
        const char *name = vx_commands[i]->name;
        int length = first_word(name);
        if (opens_group(i)) {
            printf("    '%.*s') words=\"$words", length, name);
            for (int k = i; vx_commands[k] != NULL; k++)
                if (strncmp(vx_commands[k]->name, name, (size_t)length + 1) == 0)
                    printf(" %s", vx_commands[k]->name + length + 1);
            printf("\" ;;\n");
        }
        printf("    '%s') words=\"$words", name);
        bash_flags(vx_commands[i]->flags);
        printf("\" ;;\n");
    }
    printf("    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
           "    [[ $cur == -* || -z $command ]] || COMPREPLY+=($(compgen -f -- \"$cur\"))\n"
           "}\n"
           "complete -o filenames -F _vortex vortex\n");
}

/* ---- zsh and fish --------------------------------------------------------------------------- */

/* Text in single quotes; `escape` lists what takes a backslash before it. */
static void print_quoted(const char *text, const char *escape)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            printf("'\\''");
        else
            printf("%s%c", strchr(escape, *text) != NULL ? "\\" : "", *text);
    }
}

static void zsh_flags(const vx_flag *flags)
{
    for (const vx_flag *flag = flags; has_flags(flag); flag++) {
        printf(" \\\n        '");
        if (flag->letter != 0)
            printf("(-%c --%s)'{-%c,--%s}'", flag->letter, flag->field.key, flag->letter,
                   flag->field.key);
        else
            printf("--%s", flag->field.key);
        printf("[");
        print_quoted(flag->help, "[]:\\");
        printf("]");
        if (flag->field.type != VX_FIELD_BOOL) {
            printf(":");
            print_quoted(flag->value, ":\\");
            printf(":");
            if (flag->field.choices != NULL) {
                printf("(");
                print_words(flag->field.choices, " ");
                printf(")");
            } else if (flag->use != VX_USE_NONE || strcmp(flag->field.key, "config") == 0 ||
                       strcmp(flag->field.key, "pack") == 0)
                printf("_files");
        }
        printf("'");
    }
}

static void zsh(void)
{
    printf("#compdef vortex\n# vortex(1), made by 'vortex completions zsh'\n"
           "_vortex() {\n    local command= word\n    local -a names=(");
    for (int i = 0; vx_commands[i] != NULL; i++)
        printf("%s'%s'", i > 0 ? " " : "", vx_commands[i]->name);
    printf(")\n    local -a flags=(");
    zsh_flags(vx_global_flags);
    printf(")\n"
           "    for word in ${words[2,CURRENT-1]}; do\n"
           "        [[ -n ${(M)names:#${command:+$command }${word}*} && $word != -* ]] &&\n"
           "            [[ -z ${(M)names:#$command} ]] && command=\"${command:+$command }$word\"\n"
           "    done\n    case $command in\n");
    for (int i = 0; vx_commands[i] != NULL; i++) {
        printf("    '%s') _arguments -S $flags", vx_commands[i]->name);
        zsh_flags(vx_commands[i]->flags);
        printf(" \\\n        '*:file:_files' ;;\n");
    }
    printf("    *)\n        local -a next=(${${${(M)names:#${command:+$command }*}#$command}# })\n"
           "        _arguments -S $flags \"*:command:(${(u)next%%%% *})\" ;;\n    esac\n}\n"
           "_vortex \"$@\"\n");
}

/* `condition`: when the flags hold, fish's words. */
static void fish_flags(const vx_flag *flags, const char *condition)
{
    for (const vx_flag *flag = flags; has_flags(flag); flag++) {
        printf("complete -c vortex%s -l %s", condition, flag->field.key);
        if (flag->letter != 0) printf(" -s %c", flag->letter);
        if (flag->field.choices != NULL) {
            printf(" -x -a '");
            print_words(flag->field.choices, " ");
            printf("'");
        } else if (flag->field.type != VX_FIELD_BOOL)
            printf(" -r");
        printf(" -d '");
        for (const char *at = flag->help; *at != '\0'; at++)
            printf("%s%c", *at == '\'' || *at == '\\' ? "\\" : "", *at);
        printf("'\n");
    }
}

static void fish(void)
{
    printf("# vortex(1), made by 'vortex completions fish'\n");
    fish_flags(vx_global_flags, "");
    for (int i = 0; vx_commands[i] != NULL; i++) {
        const char *name = vx_commands[i]->name;
        int length = first_word(name);
        char condition[160];
        if (name[length] == '\0') {
            printf("complete -c vortex -n __fish_use_subcommand -f -a %s -d '", name);
            print_quoted(vx_commands[i]->summary, "");
            printf("'\n");
            snprintf(condition, sizeof condition, " -n '__fish_seen_subcommand_from %s'", name);
        } else {
            if (opens_group(i))
                printf("complete -c vortex -n __fish_use_subcommand -f -a %.*s\n", length, name);
            printf("complete -c vortex -n '__fish_seen_subcommand_from %.*s' -f -a %s -d '", length,
                   name, name + length + 1);
            print_quoted(vx_commands[i]->summary, "");
            printf("'\n");
            snprintf(condition, sizeof condition,
                     " -n '__fish_seen_subcommand_from %.*s; and __fish_seen_subcommand_from %s'",
                     length, name, name + length + 1);
        }
        fish_flags(vx_commands[i]->flags, condition);
    }
}

/* ---- the manual ----------------------------------------------------------------------------- */

/* Text for roff: dashes that are minus signs, no request at the start of a line. */
static void print_roff(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        bool starts = at == text || at[-1] == '\n';
        if (starts && (*at == '.' || *at == '\'')) printf("\\&");
        if (*at == '\\')
            printf("\\e");
        else
            printf("%s%c", *at == '-' ? "\\" : "", *at);
    }
}

static void man_flags(const vx_flag *flags)
{
    for (const vx_flag *flag = flags; has_flags(flag); flag++) {
        printf(".TP\n\\fB");
        if (flag->letter != 0) printf("\\-%c\\fR, \\fB", flag->letter);
        printf("\\-\\-");
        print_roff(flag->field.key);
        if (flag->value != NULL) {
            printf("\\fR \\fI");
            print_roff(flag->value);
        }
        printf("\\fR\n");
        print_roff(flag->help);
        printf("\n");
    }
}

static void man(void)
{
    printf(".SH COMMANDS\n");
    for (int i = 0; vx_commands[i] != NULL; i++) {
        const vx_command *command = vx_commands[i];
        printf(".SS ");
        print_roff(command->name);
        printf(" ");
        print_roff(command->usage);
        printf("\n");
        print_roff(command->summary);
        printf(".\n");
        if (command->details != NULL) {
            printf(".PP\n.nf\n");
            print_roff(command->details);
            printf("%s.fi\n", command->details[strlen(command->details) - 1] == '\n' ? "" : "\n");
        }
        man_flags(command->flags);
    }
    printf(".SH GLOBAL FLAGS\nThey may stand before or after the command.\n");
    man_flags(vx_global_flags);
}

static vx_status run(vx_cli *cli, void *params, vx_error *err)
{
    (void)params;
    static const struct {
        const char *name;
        void (*print)(void);
    } kinds[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}, {"man", man}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(cli->words[0], kinds[i].name) == 0) {
            kinds[i].print();
            return VX_OK;
        }
    return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                   "there are no completions for '%.40s'; they are for bash, zsh and fish ('man': "
                   "the manual's sections of commands and flags)",
                   cli->words[0]);
}

const vx_command vx_command_completions = {
    .name = "completions",
    .usage = "bash|zsh|fish",
    .summary = "prints what lets a shell complete this command line",
    .details = "bash: vortex completions bash > ~/.local/share/bash-completion/completions/vortex\n"
               "zsh:  vortex completions zsh > a folder of $fpath, as _vortex\n"
               "fish: vortex completions fish > ~/.config/fish/completions/vortex.fish\n",
    .params_bytes = 1,
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
