/* Shared by the media tests: a scratch folder of one's own, and films with known content. */
#ifndef VX_TESTS_MEDIA_HELPERS_H
#define VX_TESTS_MEDIA_HELPERS_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch_folder[32];

static int make_scratch(void **state)
{
    (void)state;
    snprintf(scratch_folder, sizeof scratch_folder, "/tmp/vx-media-XXXXXX");
    return mkdtemp(scratch_folder) == NULL;
}

/* The path of a name in the scratch folder; four are valid at a time. */
static const char *scratch(const char *name)
{
    static char path[4][320];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", scratch_folder, name);
    return path[turn];
}

/* Removes every file in the folder, hidden ones too; how many there were. */
static int clear_scratch(void)
{
    DIR *dir = opendir(scratch_folder);
    if (dir == NULL) return -1;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char path[320];
        snprintf(path, sizeof path, "%s/%.255s", scratch_folder, entry->d_name);
        unlink(path);
        count++;
    }
    closedir(dir);
    return count;
}

static int remove_scratch(void **state)
{
    (void)state;
    clear_scratch();
    return rmdir(scratch_folder);
}

#endif
