#include "base/limits.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct path {
    char text[PATH_MAX];
} path;

/* root + folder + "/" + file; "" when that is too long, which no file has. */
static const char *join(path *out, const char *root, const char *folder, const char *file)
{
    const char *slash = folder[0] != '\0' && file[0] != '\0' ? "/" : "";
    int length = snprintf(out->text, sizeof out->text, "%s%s%s%s", root, folder, slash, file);
    if (length < 0 || (size_t)length >= sizeof out->text) out->text[0] = '\0';
    return out->text;
}

/* The beginning of a small file; false when there is none. */
static bool read_text(const char *name, char *text, size_t room)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, room - 1) : -1;
    if (fd >= 0) close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* A file that holds one number; "max" and -1 are none. */
static bool read_number(const char *folder, const char *file, size_t *value)
{
    path name;
    char text[64], *end;
    if (!read_text(join(&name, "", folder, file), text, sizeof text)) return false;
    if (text[0] < '0' || text[0] > '9') return false;
    *value = strtoull(text, &end, 10);
    return end != text;
}

/* The number behind `key` in lines of "key number"; 0 when there is none. */
static size_t find_number(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, key, length) == 0 && (at[length] == ' ' || at[length] == ':'))
            return strtoull(at + length + 1, NULL, 10);
    }
    return 0;
}

static void lower(vx_limit *limit, size_t value, const char *who, const char *what)
{
    if (value >= limit->value) return;
    limit->value = value;
    snprintf(limit->name, sizeof limit->name, "%.100s%s%.40s", who, what[0] != '\0' ? ", " : "",
             what);
}

/* ---- control groups ------------------------------------------------------------------------- */

/* A word of a list that commas separate. */
static bool lists(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && strchr(",\n", at[length]) != NULL) return true;
    }
    return false;
}

/* Where the hierarchy of a controller (NULL: version 2) is mounted, and which group stands there.
 * See /proc/PID/mountinfo in proc(5). */
static bool find_mount(const char *root, const char *controller, path *point, path *group)
{
    path name;
    FILE *f = fopen(join(&name, root, "/proc/self", "mountinfo"), "re");
    char line[2 * PATH_MAX + 512], kind[32], options[512];
    bool found = false;
    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL) {
        const char *rest = strstr(line, " - ");
        if (rest == NULL ||
            sscanf(line, "%*s %*s %*s %4095s %4095s", group->text, point->text) != 2)
            continue;
        int words = sscanf(rest + 3, "%31s %*s %511s", kind, options);
        found = controller == NULL
                    ? words >= 1 && strcmp(kind, "cgroup2") == 0
                    : words == 2 && strcmp(kind, "cgroup") == 0 && lists(options, controller);
    }
    if (f != NULL) fclose(f);
    return found;
}

typedef void (*level_fn)(void *arg, const char *folder, const char *group, bool second);

/* Calls fn for the group and those above it, as far as the mount shows them. */
static void walk(const char *root, const char *controller, const char *group, level_fn fn,
                 void *arg)
{
    path point, top, folder, below;
    if (!find_mount(root, controller, &point, &top)) return;
    /* The mount may show a branch only, and the name may be of a place outside of it. */
    size_t skip = strcmp(top.text, "/") == 0 ? 0 : strlen(top.text);
    bool inside = strncmp(group, top.text, skip) == 0 && strchr("/", group[skip]) != NULL &&
                  strstr(group, "/..") == NULL;
    snprintf(below.text, sizeof below.text, "%s", inside ? group + skip : "");
    if (strcmp(below.text, "/") == 0) below.text[0] = '\0';
    for (;;) {
        path place;
        join(&place, root, point.text, "");
        join(&folder, place.text, below.text, "");
        fn(arg, folder.text, below.text[0] != '\0' ? below.text : "/", controller == NULL);
        char *slash = strrchr(below.text, '/');
        if (slash == NULL) return;
        *slash = '\0';
    }
}

/* The groups of this process that have to do with a controller. */
static void walk_groups(const char *root, const char *controller, level_fn fn, void *arg)
{
    path name;
    char line[PATH_MAX + 64];
    FILE *f = fopen(join(&name, root, "/proc/self", "cgroup"), "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *list = strchr(line, ':'), *group = list != NULL ? strchr(list + 1, ':') : NULL;
        if (group == NULL || group[1] != '/') continue;
        *group++ = '\0';
        if (list[1] == '\0')
            walk(root, NULL, group, fn, arg);
        else if (lists(list + 1, controller))
            walk(root, controller, group, fn, arg);
    }
    if (f != NULL) fclose(f);
}

/* ---- memory --------------------------------------------------------------------------------- */

static const char *who(char name[120], const char *group)
{
    snprintf(name, 120, "control group %.100s", group);
    return name;
}

static const char *const memory_files[2][2] = {{"memory.limit_in_bytes", NULL},
                                               {"memory.max", "memory.high"}};

static void add_memory(void *arg, const char *folder, const char *group, bool second)
{
    char name[120];
    size_t bytes;
    for (int i = 0; i < 2 && memory_files[second][i] != NULL; i++)
        if (read_number(folder, memory_files[second][i], &bytes))
            lower(arg, bytes, who(name, group), memory_files[second][i]);
}

/* What a group has cached of files is given back before anything is refused. */
static size_t cached_bytes(const char *folder, bool second)
{
    path name;
    char text[8192];
    if (!read_text(join(&name, "", folder, "memory.stat"), text, sizeof text)) return 0;
    return find_number(text, second ? "inactive_file" : "total_inactive_file") +
           find_number(text, second ? "active_file" : "total_active_file");
}

static void add_free(void *arg, const char *folder, const char *group, bool second)
{
    char name[120];
    size_t bytes, used;
    if (!read_number(folder, second ? "memory.current" : "memory.usage_in_bytes", &used)) return;
    size_t cached = cached_bytes(folder, second);
    used -= cached < used ? cached : used;
    for (int i = 0; i < 2 && memory_files[second][i] != NULL; i++)
        if (read_number(folder, memory_files[second][i], &bytes))
            lower(arg, bytes > used ? bytes - used : 0, who(name, group), memory_files[second][i]);
}

/* A line of /proc/meminfo in bytes; SIZE_MAX when it is not there. */
static size_t meminfo_bytes(const char *root, const char *key)
{
    path name;
    char text[4096];
    if (!read_text(join(&name, root, "/proc", "meminfo"), text, sizeof text)) return SIZE_MAX;
    size_t kib = find_number(text, key);
    return kib > 0 ? kib * 1024 : SIZE_MAX;
}

static const char MACHINE[] = "the machine's memory";

static void read_memory(vx_limit *memory, const char *root)
{
    *memory = (vx_limit){.value = SIZE_MAX};
    lower(memory, meminfo_bytes(root, "MemTotal"), MACHINE, "");
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (root[0] == '\0' && pages > 0 && page > 0)
        lower(memory, (size_t)pages * (size_t)page, MACHINE, "");
    walk_groups(root, "memory", add_memory, memory);
}

vx_limit vx_limits_free(const char *root)
{
    vx_limit limit = {.value = SIZE_MAX};
    lower(&limit, meminfo_bytes(root, "MemAvailable"), MACHINE, "");
    walk_groups(root, "memory", add_free, &limit);
    return limit;
}

/* What a limit of the process leaves beside the pages that it has already, of which the field of
 * /proc/self/statm counts its kind (proc(5)); all of it where there is no /proc. */
static void read_limit(vx_limit *left, int resource, int field, const char *who, const char *root)
{
    path name;
    char text[128];
    struct rlimit limit;
    size_t pages[6] = {0}, page = (size_t)sysconf(_SC_PAGESIZE);
    *left = (vx_limit){.value = SIZE_MAX};
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    if (read_text(join(&name, root, "/proc/self", "statm"), text, sizeof text))
        (void)!sscanf(text, "%zu %zu %zu %zu %zu %zu", &pages[0], &pages[1], &pages[2], &pages[3],
                      &pages[4], &pages[5]);
    size_t used = pages[field] * page, all = limit.rlim_cur;
    lower(left, all > used ? all - used : 0, who, "");
}

/* ---- processors ----------------------------------------------------------------------------- */

/* A share of a processor counts as one: who has 1.5 of them works with two threads. */
static void add_processors(void *arg, const char *folder, const char *group, bool second)
{
    path name;
    char text[64], who_name[120];
    size_t quota = 0, period = 0;
    if (second) {
        if (!read_text(join(&name, "", folder, "cpu.max"), text, sizeof text) ||
            sscanf(text, "%zu %zu", &quota, &period) != 2)
            return;
    } else if (!read_number(folder, "cpu.cfs_quota_us", &quota) ||
               !read_number(folder, "cpu.cfs_period_us", &period)) {
        return;
    }
    if (quota == 0 || period == 0) return;
    lower(arg, (quota + period - 1) / period, who(who_name, group),
          second ? "cpu.max" : "cpu.cfs_quota_us");
}

/* Processors of the affinity mask, which may be longer than cpu_set_t. */
static size_t affinity(void)
{
    for (int most = 1024; most <= 1 << 16; most *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)most);
        size_t bytes = CPU_ALLOC_SIZE((size_t)most);
        int count =
            set != NULL && sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
        if (set != NULL) CPU_FREE(set);
        if (count > 0) return (size_t)count;
    }
    return 1;
}

void vx_limits_read(vx_limits *limits, const char *root)
{
    path name;
    *limits = (vx_limits){.processors = {.value = SIZE_MAX}};
    limits->proc = access(join(&name, root, "/proc/self", "status"), R_OK) == 0;
    read_memory(&limits->memory, root);
    limits->free = vx_limits_free(root);
    enum { ALL_PAGES = 0, DATA_PAGES = 5 };
    read_limit(&limits->address, RLIMIT_AS, ALL_PAGES, "the address space (RLIMIT_AS, ulimit -v)",
               root);
    read_limit(&limits->data, RLIMIT_DATA, DATA_PAGES, "the data (RLIMIT_DATA, ulimit -d)", root);
    lower(&limits->processors, affinity(), "the affinity mask", "");
    walk_groups(root, "cpu", add_processors, &limits->processors);
}
