#include "engine/monitor.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/warnings.h"

static const double GLANCE_S = 0.05;

void vx_monitor_open(vx_monitor *m, const vx_monitor_limits *limits)
{
    *m = (vx_monitor){.limits = *limits};
    pthread_mutex_init(&m->lock, NULL);
}

void vx_monitor_close(vx_monitor *m)
{
    pthread_mutex_destroy(&m->lock);
}

static size_t used_bytes(const vx_monitor *m)
{
    return m->limits.backend != NULL ? vx_backend_memory(m->limits.backend).now : 0;
}

/* The lock is held. */
static vx_status judge(vx_monitor *m, size_t used, const vx_limit *left, vx_error *err)
{
    m->figures.used_bytes = used;
    if (used > m->figures.highest_bytes) m->figures.highest_bytes = used;
    bool above = used > m->limits.soft_bytes;
    if (above && !m->above_soft) {
        m->figures.soft_events++;
        vx_warn("memory_soft", NULL, "memory: %.1f MB are used, above the soft limit of %.1f MB",
                (double)used / 1e6, (double)m->limits.soft_bytes / 1e6);
    }
    m->above_soft = above;
    if (used <= m->limits.hard_bytes && left->value >= m->limits.free_bytes) return VX_OK;
    m->figures.hard_events++;
    if (used > m->limits.hard_bytes)
        return vx_fail(err, VX_ERR_MEMORY, "memory_pressure",
                       "the engine uses %.1f MB, above the hard limit of %.1f MB "
                       "(budget.hard_bytes); the slot was ended",
                       (double)used / 1e6, (double)m->limits.hard_bytes / 1e6);
    return vx_fail(
        err, VX_ERR_MEMORY, "memory_pressure",
        "%.1f MB are left (%s), less than the %.1f MB of budget.free_bytes; the slot was "
        "ended, end other programs",
        (double)left->value / 1e6, left->name, (double)m->limits.free_bytes / 1e6);
}

vx_status vx_monitor_check(vx_monitor *m, vx_error *err)
{
    size_t used = used_bytes(m);
    vx_limit left = {.value = SIZE_MAX};
    if (m->limits.free_bytes > 0) left = vx_limits_free("");
    pthread_mutex_lock(&m->lock);
    m->checked_s = vx_now_s();
    vx_status status = judge(m, used, &left, err);
    pthread_mutex_unlock(&m->lock);
    return status;
}

vx_status vx_monitor_glance(vx_monitor *m, vx_error *err)
{
    pthread_mutex_lock(&m->lock);
    bool due = vx_now_s() - m->checked_s > GLANCE_S;
    pthread_mutex_unlock(&m->lock);
    return due ? vx_monitor_check(m, err) : VX_OK;
}

void vx_monitor_slot(vx_monitor *m)
{
    size_t used = used_bytes(m);
    pthread_mutex_lock(&m->lock);
    /* The first slot touches what the start did not. */
    if (m->slots++ == 0) m->base_bytes = used;
    if (m->slots > VX_LEAK_SLOTS) {
        if (used > m->base_bytes + VX_LEAK_BYTES) {
            m->figures.leaks++;
            vx_warn("memory_leak", NULL, "memory: %.1f MB more than %d slots ago; something leaks",
                    (double)(used - m->base_bytes) / 1e6, VX_LEAK_SLOTS);
        }
        m->slots = 1;
        m->base_bytes = used;
    }
    pthread_mutex_unlock(&m->lock);
}

vx_monitor_figures vx_monitor_read(vx_monitor *m)
{
    pthread_mutex_lock(&m->lock);
    vx_monitor_figures figures = m->figures;
    pthread_mutex_unlock(&m->lock);
    return figures;
}
