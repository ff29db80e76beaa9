/* Slot after slot in one engine: the film's bytes stay, and neither memory nor descriptors grow.
 *
 *     test_soak [SLOTS]
 *
 * Without SLOTS, 200, or 20 where a sanitizer watches. */
#include <dirent.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sanitized.h"
#include "slot_rig.h"

static int slots = SANITIZED ? 20 : 200;

static int descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static void slots_do_not_grow(void **state)
{
    (void)state;
    enum { WARM = 10, DRIFT_BYTES = 2000000 };
    slot_rig r;
    char first[65], last[65];
    slot_rig_open(&r, ALL_PACK, "");
    assert_true(slot_rig_make(&r, "a.mp4", first));
    for (int i = 1; i < WARM; i++)
        assert_true(slot_rig_make(&r, "a.mp4", last));
    size_t rss = vx_rss_bytes();
    int open = descriptors();
    vx_heap_counts heap = vx_heap_read();
    for (int i = WARM; i < slots; i++)
        assert_true(slot_rig_make(&r, "a.mp4", last));
    long drift = (long)vx_rss_bytes() - (long)rss;
    printf("%d slots: resident memory drifted by %.2f MB since the tenth\n", slots,
           (double)drift / 1e6);
    assert_string_equal(first, last);
    /* What may still come is a second set of arguments where two workers meet at a kernel. */
    assert_true(vx_heap_read().live_bytes - heap.live_bytes < 64 << 10);
    assert_int_equal(descriptors(), open);
    if (!SANITIZED) assert_true(drift < DRIFT_BYTES && drift > -DRIFT_BYTES);
    slot_rig_close(&r);
}

int main(int argc, char **argv)
{
    if (argc > 1) slots = atoi(argv[1]);
    mallopt(M_ARENA_MAX, 2); /* as the program does (main.c): threads' own heaps wander */
    const struct CMUnitTest tests[] = {cmocka_unit_test(slots_do_not_grow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
