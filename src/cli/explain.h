/* say --explain: a text as it will be spoken, word by word, without speaking it. */
#ifndef VX_CLI_EXPLAIN_H
#define VX_CLI_EXPLAIN_H

#include "cli/cli.h"

/* Prints a line for each word, "text -> spoken words -> phonemes", or with --json one document.
 * Takes the lexicon of the voice's accent and no model. Fails as speaking the text would. */
vx_status vx_explain(vx_cli *cli, const char *text, size_t bytes, const char *voice, vx_error *err);

#endif
