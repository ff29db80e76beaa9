/* The machine's limits, read from trees of files as kernels write them, and what follows for the budget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "engine/plan.h"

static char root[64];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/vx-limits-XXXXXX");
    return mkdtemp(root) == NULL;
}

static int remove_root(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    return system(command);
}

/* A file below the root, with its folders. */
static void put(const char *name, const char *text)
{
    char path[256], folder[256];
    snprintf(path, sizeof path, "%s%s", root, name);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    assert_int_equal(vx_folder_make(folder, NULL), VX_OK);
    assert_int_equal(vx_file_write(path, text, strlen(text), NULL), VX_OK);
}

#define GIB 1073741824
static const char MEMINFO[] = "MemTotal:        8388608 kB\nMemFree:         1048576 kB\n"
                              "MemAvailable:    4194304 kB\n";
static const char UNIFIED[] =
    "22 1 0:20 / /proc rw - proc proc rw\n"
    "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

static void machine(const char *cgroup, const char *mountinfo)
{
    put("/proc/meminfo", MEMINFO);
    put("/proc/self/status", "VmRSS: 1 kB\n");
    put("/proc/self/cgroup", cgroup);
    put("/proc/self/mountinfo", mountinfo);
}

static void a_machine_without_groups(void **state)
{
    (void)state;
    vx_limits l;
    machine("0::/\n", UNIFIED);
    vx_limits_read(&l, root);
    assert_true(l.proc);
    assert_int_equal(l.memory.value, 8ll * GIB);
    assert_string_equal(l.memory.name, "the machine's memory");
    assert_int_equal(l.free.value, 4ll * GIB);
    assert_true(l.processors.value >= 1 && l.processors.value < 1 << 16);
    assert_string_equal(l.processors.name, "the affinity mask");
}

static void the_smallest_level_of_version_2(void **state)
{
    (void)state;
    vx_limits l;
    machine("0::/user.slice/vortex.service\n", UNIFIED);
    put("/sys/fs/cgroup/user.slice/memory.max", "3221225472\n");
    put("/sys/fs/cgroup/user.slice/memory.high", "max\n");
    put("/sys/fs/cgroup/user.slice/memory.current", "3000000000\n");
    put("/sys/fs/cgroup/user.slice/memory.stat",
        "anon 100\ninactive_file 1000000000\nactive_file 500000000\nslab 5\n");
    put("/sys/fs/cgroup/user.slice/vortex.service/memory.max", "max\n");
    put("/sys/fs/cgroup/user.slice/vortex.service/memory.high", "2147483648\n");
    put("/sys/fs/cgroup/user.slice/vortex.service/memory.current", "100000000\n");
    put("/sys/fs/cgroup/user.slice/vortex.service/memory.stat", "anon 1\n");
    put("/sys/fs/cgroup/user.slice/vortex.service/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/user.slice/cpu.max", "50000 100000\n");
    vx_limits_read(&l, root);
    assert_int_equal(l.memory.value, 2ll * GIB);
    assert_string_equal(l.memory.name, "control group /user.slice/vortex.service, memory.high");
    /* Cached files count as free. */
    assert_int_equal(l.free.value, 3221225472 - (3000000000 - 1500000000));
    assert_string_equal(l.free.name, "control group /user.slice, memory.max");
    assert_int_equal(l.processors.value, 1);
    assert_string_equal(l.processors.name, "control group /user.slice, cpu.max");
}

static void a_group_of_version_1_below_another_mount(void **state)
{
    (void)state;
    vx_limits l;
    machine("9:name=systemd:/x\n5:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab/inner\n0::/\n",
            "40 31 0:32 /docker/ab /mnt/mem rw - cgroup cgroup rw,memory\n"
            "41 31 0:33 / /mnt/cpu rw - cgroup cgroup rw,cpu,cpuacct\n");
    put("/mnt/mem/memory.limit_in_bytes", "419430400\n");
    put("/mnt/mem/memory.usage_in_bytes", "400000000\n");
    put("/mnt/mem/memory.stat", "inactive_file 7\ntotal_inactive_file 100000000\n");
    put("/mnt/mem/inner/memory.limit_in_bytes", "9223372036854771712\n");
    put("/mnt/cpu/docker/ab/cpu.cfs_quota_us", "-1\n");
    put("/mnt/cpu/docker/ab/cpu.cfs_period_us", "100000\n");
    put("/mnt/cpu/docker/cpu.cfs_quota_us", "50000\n");
    put("/mnt/cpu/docker/cpu.cfs_period_us", "100000\n");
    vx_limits_read(&l, root);
    assert_int_equal(l.memory.value, 419430400);
    assert_string_equal(l.memory.name, "control group /, memory.limit_in_bytes");
    assert_int_equal(l.free.value, 119430400);
    assert_int_equal(l.processors.value, 1);
    assert_string_equal(l.processors.name, "control group /docker, cpu.cfs_quota_us");
    /* A name outside of what the mount shows: the mount itself is asked. */
    put("/proc/self/cgroup", "4:memory:/../other\n");
    vx_limits_read(&l, root);
    assert_int_equal(l.memory.value, 419430400);
}

static void without_proc_nothing_is_known(void **state)
{
    (void)state;
    vx_limits l;
    vx_limits_read(&l, "/nowhere");
    assert_false(l.proc);
    assert_true(l.memory.value == SIZE_MAX && l.free.value == SIZE_MAX);
    assert_true(l.processors.value >= 1 && l.processors.value < 1 << 16);
    /* The budget is then the one of a card. */
    vx_settings settings = {0};
    vx_budget b = vx_budget_of(&settings, &(vx_device){.name = "cpu"}, &l);
    assert_int_equal(b.hard_bytes, 11500000000);
}

static void an_address_space_has_a_limit(void **state)
{
    (void)state;
    struct rlimit before, few;
    vx_limits l;
    vx_limits_read(&l, "");
    getrlimit(RLIMIT_AS, &before);
    if (before.rlim_cur == RLIM_INFINITY) assert_true(l.address.value == SIZE_MAX);
    few = before;
    few.rlim_cur = (rlim_t)1 << 45; /* sanitizers take 20 TB */
    if (setrlimit(RLIMIT_AS, &few) != 0) return;
    vx_limits_read(&l, "");
    setrlimit(RLIMIT_AS, &before);
    assert_true(l.address.value < (size_t)1 << 45);
    assert_non_null(strstr(l.address.name, "RLIMIT_AS"));
}

static void budgets_follow(void **state)
{
    (void)state;
    vx_limits l = {.memory = {1000000000, "control group /a, memory.max"}};
    vx_device cpu = {.name = "cpu"}, card = {.name = "rtx3060", .memory_bytes = 12ll * GIB};
    vx_settings s = {0};
    vx_budget b = vx_budget_of(&s, &cpu, &l);
    assert_int_equal(b.hard_bytes, 800000000);
    assert_int_equal(b.soft_bytes, 765600000);
    assert_string_equal(b.limit, "0.8 of control group /a, memory.max");
    b = vx_budget_of(&s, &card, &l);
    assert_int_equal(b.hard_bytes, 11500000000);
    card.memory_bytes = 8ll * GIB;
    b = vx_budget_of(&s, &card, &l);
    assert_int_equal(b.hard_bytes, (size_t)(0.97 * 8 * GIB));
    assert_string_equal(b.limit, "0.97 of the device's memory");
    s.hard_bytes = 500000000;
    b = vx_budget_of(&s, &cpu, &l);
    assert_true(b.hard_bytes == 500000000 && b.soft_bytes == 478500000);
    assert_string_equal(b.limit, "budget.hard_bytes");
    s.soft_bytes = 400000000;
    b = vx_budget_of(&s, &cpu, &l);
    assert_int_equal(b.soft_bytes, 400000000);
    s = (vx_settings){.soft_bytes = 900000000};
    b = vx_budget_of(&s, &cpu, &l);
    assert_true(b.soft_bytes == b.hard_bytes && b.hard_bytes == 800000000);
}

/* The refusals name the limit and say what to do. */
static void plans_are_refused_by_the_smallest(void **state)
{
    (void)state;
    vx_error err;
    vx_device cpu = {.name = "cpu"};
    vx_limits l = {.memory = {100000000, "control group /a, memory.max"},
                   .free = {20000000, "control group /b, memory.high"},
                   .address = {100000000, "the address space"},
                   .data = {20000000, "the data"}};
    vx_budget b = vx_budget_of(&(vx_settings){0}, &cpu, &l);
    vx_plan plan;
    vx_plan_init(&plan, &cpu, &b);
    vx_plan_region(&plan, VX_REGION_WEIGHTS, VX_PLACE_DEVICE, "kokoro", "weights", 30000000);
    plan.address_bytes = 80000000;
    assert_int_equal(vx_plan_check(&plan, NULL, &err), VX_OK);
    assert_int_equal(vx_plan_check(&plan, &l, &err), VX_ERR_MEMORY);
    assert_non_null(strstr(err.message, "the address space has 100.0 MB left"));
    l.address.value = SIZE_MAX;
    assert_int_equal(vx_plan_check(&plan, &l, &err), VX_ERR_MEMORY);
    assert_non_null(strstr(err.message, "the data has 20.0 MB left"));
    l.data.value = SIZE_MAX;
    l.address.value = 300000000; /* what comes beside the reservation has room too */
    assert_int_equal(vx_plan_check(&plan, &l, &err), VX_ERR_MEMORY);
    assert_non_null(strstr(err.message, "20.0 MB are free (control group /b, memory.high)"));
    l.free.value = SIZE_MAX;
    assert_int_equal(vx_plan_check(&plan, &l, &err), VX_OK);
    vx_plan_region(&plan, VX_REGION_WEIGHTS, VX_PLACE_DEVICE, "flux.transformer", "weights",
                   60000000);
    assert_int_equal(vx_plan_check(&plan, &l, &err), VX_ERR_MEMORY);
    assert_non_null(strstr(err.message, "(0.8 of control group /a, memory.max)"));
    assert_non_null(strstr(err.message, "flux.transformer with 60.0 MB"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_machine_without_groups, make_root, remove_root),
        cmocka_unit_test_setup_teardown(the_smallest_level_of_version_2, make_root, remove_root),
        cmocka_unit_test_setup_teardown(a_group_of_version_1_below_another_mount, make_root,
                                        remove_root),
        cmocka_unit_test(without_proc_nothing_is_known),
        cmocka_unit_test(an_address_space_has_a_limit),
        cmocka_unit_test(budgets_follow),
        cmocka_unit_test(plans_are_refused_by_the_smallest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
