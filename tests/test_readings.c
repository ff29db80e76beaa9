/* What people type, as it is said: tests/data/g2p/readings.tsv, each line reviewed by hand, with the
 * published lexicon and without espeak-ng, whose versions differ. Skipped where the lexicon is not
 * there ($XDG_DATA_HOME/vortex/lexicon; ./run fetch). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "text/g2p.h"

#define READINGS VX_TEST_DATA "/g2p/readings.tsv"

enum { LINES_MIN = 400, LINE_BYTES = 2048 };

static vx_g2p *speakers[2]; /* by vx_accent */

static int open_speakers(void **state)
{
    (void)state;
    char folder[4096];
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (data != NULL && data[0] != '\0')
        snprintf(folder, sizeof folder, "%s/vortex/lexicon", data);
    else
        snprintf(folder, sizeof folder, "%s/.local/share/vortex/lexicon", home ? home : "");
    for (int accent = 0; accent < 2; accent++) {
        vx_error err = {0};
        vx_g2p_params params = {
            .accent = (vx_accent)accent, .lexicon_dir = folder, .no_espeak = true};
        vx_status status = vx_g2p_open(&speakers[accent], &params, &err);
        if (status == VX_ERR_MISSING) {
            printf("skipped: %s\n", err.message);
            exit(77);
        }
        assert_int_equal(status, VX_OK);
    }
    return 0;
}

static int close_speakers(void **state)
{
    (void)state;
    vx_g2p_close(&speakers[0]);
    vx_g2p_close(&speakers[1]);
    return 0;
}

/* The fields of a line, tabs between; how many. */
static int cut(char *line, char *field[4])
{
    int count = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *at = line; at != NULL && count < 4; count++) {
        field[count] = at;
        at = strchr(at, '\t');
        if (at != NULL) *at++ = '\0';
    }
    return count;
}

static void every_line_is_said_as_reviewed(void **state)
{
    (void)state;
    char line[LINE_BYTES], *field[4];
    int lines = 0, wrong = 0;
    FILE *file = fopen(READINGS, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "# ", 2) == 0) continue;
        assert_int_equal(cut(line, field), 4);
        assert_true(strcmp(field[1], "us") == 0 || strcmp(field[1], "gb") == 0);
        vx_g2p_result r;
        vx_error err = {0};
        vx_g2p *g2p = speakers[strcmp(field[1], "gb") == 0 ? VX_ACCENT_GB : VX_ACCENT_US];
        vx_status status = vx_g2p_text(g2p, field[0], strlen(field[0]), &r, &err);
        lines++;
        if (status == VX_OK && strcmp(r.phonemes, field[2]) == 0) continue;
        print_message("%s (%s)\n  is  %s\n  not %s\n", field[0], field[3],
                      status == VX_OK ? r.phonemes : err.message, field[2]);
        wrong++;
    }
    fclose(file);
    assert_true(lines >= LINES_MIN);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    vx_log_setup(VX_LOG_ERROR, false);
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_line_is_said_as_reviewed)};
    return cmocka_run_group_tests(tests, open_speakers, close_speakers);
}
