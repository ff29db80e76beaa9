#include "formats/guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Read by the handler at any moment: `end` is 0 unless the rest is valid. */
typedef struct guarded {
    atomic_uintptr_t begin, end;
    atomic_bool hit;
} guarded;

static guarded table[VX_GUARDS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int in_use;
static bool installed;
static struct sigaction before;
static atomic_uintptr_t page_bytes;

/* Zeroes from the page of `at` to the end: what lies behind a file's end is gone as a whole. */
static bool replace(guarded *g, uintptr_t at)
{
    uintptr_t page = at & ~(atomic_load(&page_bytes) - 1);
    size_t bytes = (size_t)(atomic_load(&g->end) - page);
    void *zeroes = mmap((void *)page, bytes, PROT_READ,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    if (zeroes == MAP_FAILED) return false;
    atomic_store(&g->hit, true);
    return true;
}

static void pass_on(int signal_number, siginfo_t *info, void *context)
{
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(signal_number, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(signal_number);
    } else { /* as it would have ended without us */
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
}

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    int kept = errno;
    uintptr_t at = (uintptr_t)info->si_addr;
    for (int i = 0; info->si_code > 0 && i < VX_GUARDS_MAX; i++) {
        guarded *g = &table[i];
        if (at < atomic_load(&g->end) && at >= atomic_load(&g->begin) && replace(g, at)) {
            errno = kept;
            return;
        }
    }
    pass_on(signal_number, info, context);
    errno = kept;
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    atomic_store(&page_bytes, (uintptr_t)sysconf(_SC_PAGESIZE));
    if (!installed) installed = sigaction(SIGBUS, &action, &before) == 0;
}

/* A handler that somebody put over ours stays, and may still call ours. */
static void uninstall(void)
{
    struct sigaction now;
    if (!installed || sigaction(SIGBUS, NULL, &now) != 0) return;
    if (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_bus_error) return;
    sigaction(SIGBUS, &before, NULL);
    installed = false;
}

int vx_guard_add(const void *at, size_t bytes)
{
    int guard = VX_GUARD_NONE;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < VX_GUARDS_MAX && guard == VX_GUARD_NONE; i++)
        if (atomic_load(&table[i].end) == 0) guard = i;
    if (guard != VX_GUARD_NONE) {
        if (in_use++ == 0) install();
        uintptr_t begin = (uintptr_t)at, page = atomic_load(&page_bytes);
        atomic_store(&table[guard].hit, false);
        atomic_store(&table[guard].begin, begin);
        atomic_store(&table[guard].end, (begin + bytes + page - 1) & ~(page - 1));
    }
    pthread_mutex_unlock(&lock);
    return guard;
}

void vx_guard_remove(int guard)
{
    if (guard == VX_GUARD_NONE) return;
    pthread_mutex_lock(&lock);
    atomic_store(&table[guard].end, 0);
    if (--in_use == 0) uninstall();
    pthread_mutex_unlock(&lock);
}

bool vx_guard_hit(int guard)
{
    return guard != VX_GUARD_NONE && atomic_load(&table[guard].hit);
}
