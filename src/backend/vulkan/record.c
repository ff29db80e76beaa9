/* Lanes: commands in order, barriers from what they read and write, submissions.
 *
 * Commands wait until one comes that must see, or must not disturb, what another of them does. Then
 * all are recorded (with `shuffle` in an order drawn by lot, as a device may run them), and a
 * barrier behind them. A submission begins with a barrier of its own against all that was given to
 * the queue before. */
#include <string.h>

#include "backend/vulkan/vulkan.h"
#include "base/mem.h"
#include "base/random.h"

enum { WAITING = 48, SUBMISSIONS = 4, READS = 256, HALVES = 2 };
/* A submission is planned at 0.25 s. One that takes so much longer never ends. */
static const uint64_t LOST_NS = 300ull * 1000000000ull;

typedef struct command {
    VkPipeline pipe; /* VK_NULL_HANDLE: a copy of buffers */
    uint8_t push[VX_VK_PUSH_BYTES];
    uint32_t push_bytes, size[3];
    VkBuffer from, to;
    VkBufferCopy copy;
    vx_vk_range range[VX_VK_RANGES];
    int ranges;
} command;

/* Host-visible memory in halves: one is filled while the device works on the other. */
typedef struct ring {
    vx_vk_block *block;
    int half;
    size_t used;
    uint64_t until[HALVES]; /* the submission after which a half is free */
} ring;

typedef struct brought {
    void *host;
    const void *staged;
    size_t bytes;
} brought;

struct vx_vk_lane {
    vx_vk *vk;
    VkCommandPool pool;
    VkCommandBuffer buffer[SUBMISSIONS];
    uint64_t value[SUBMISSIONS]; /* of the timeline, when a buffer's work is done */
    int at;                      /* the buffer that is recorded, or next */
    bool recording;
    VkSemaphore timeline;
    uint64_t submitted;
    command waiting[WAITING];
    int count;
    ring up, down;
    brought read[READS];
    int reads;
    uint64_t drawn; /* lots so far */
};

/* ---- life ---- */

static vx_status open_lane(vx_vk_lane *l, vx_error *err)
{
    vx_vk *vk = l->vk;
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                          .queueFamilyIndex = vk->family};
    VX_TRY(vx_vk_check(vk->api.CreateCommandPool(vk->device, &pool, NULL, &l->pool),
                       "vkCreateCommandPool", err));
    const VkCommandBufferAllocateInfo buffers = {.sType =
                                                     VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                 .commandPool = l->pool,
                                                 .commandBufferCount = SUBMISSIONS};
    VX_TRY(vx_vk_check(vk->api.AllocateCommandBuffers(vk->device, &buffers, l->buffer),
                       "vkAllocateCommandBuffers", err));
    const VkSemaphoreTypeCreateInfo counting = {.sType =
                                                    VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                                .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    const VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                             .pNext = &counting};
    VX_TRY(vx_vk_check(vk->api.CreateSemaphore(vk->device, &semaphore, NULL, &l->timeline),
                       "vkCreateSemaphore", err));
    VX_TRY(vx_vk_block_open(vk, (uint64_t)HALVES * VX_VK_STAGE, true, &l->up.block, err));
    return vx_vk_block_open(vk, (uint64_t)HALVES * VX_VK_STAGE, true, &l->down.block, err);
}

vx_status vx_vk_lane_open(vx_lane *lane, vx_error *err)
{
    vx_vk_lane *l = lane->state = vx_heap_alloc(sizeof *l);
    if (l == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a lane");
    l->vk = vx_vk_of(lane->backend);
    vx_status status = open_lane(l, err);
    if (status != VX_OK) vx_vk_lane_close(lane);
    return status;
}

void vx_vk_lane_close(vx_lane *lane)
{
    vx_vk_lane *l = lane->state;
    if (l == NULL) return;
    vx_vk *vk = l->vk;
    vk->api.DeviceWaitIdle(vk->device);
    vx_vk_block_close(vk, &l->up.block);
    vx_vk_block_close(vk, &l->down.block);
    if (l->timeline != VK_NULL_HANDLE) vk->api.DestroySemaphore(vk->device, l->timeline, NULL);
    if (l->pool != VK_NULL_HANDLE) vk->api.DestroyCommandPool(vk->device, l->pool, NULL);
    vx_heap_free(l);
    lane->state = NULL;
}

/* ---- recording ---- */

static vx_status wait_for(vx_vk_lane *l, uint64_t value, vx_error *err)
{
    const VkSemaphoreWaitInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                      .semaphoreCount = 1,
                                      .pSemaphores = &l->timeline,
                                      .pValues = &value};
    if (value == 0) return VX_OK;
    VkResult result = l->vk->api.WaitSemaphores(l->vk->device, &info, LOST_NS);
    if (result == VK_TIMEOUT) result = VK_ERROR_DEVICE_LOST;
    return vx_vk_check(result, "vkWaitSemaphores", err);
}

static void barrier(vx_vk_lane *l, VkPipelineStageFlags2 then, VkAccessFlags2 access)
{
    const VkPipelineStageFlags2 work =
        VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT;
    const VkMemoryBarrier2 memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                                     .srcStageMask = work,
                                     .srcAccessMask = VK_ACCESS_2_MEMORY_WRITE_BIT,
                                     .dstStageMask = then != 0 ? then : work,
                                     .dstAccessMask = access};
    const VkDependencyInfo order = {.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                                    .memoryBarrierCount = 1,
                                    .pMemoryBarriers = &memory};
    l->vk->api.CmdPipelineBarrier2(l->buffer[l->at], &order);
}

static void work_barrier(vx_vk_lane *l)
{
    barrier(l, 0, VK_ACCESS_2_MEMORY_READ_BIT | VK_ACCESS_2_MEMORY_WRITE_BIT);
}

static vx_status begin(vx_vk_lane *l, vx_error *err)
{
    if (l->recording) return VX_OK;
    VX_TRY(wait_for(l, l->value[l->at], err));
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                           .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    VX_TRY(vx_vk_check(l->vk->api.BeginCommandBuffer(l->buffer[l->at], &info),
                       "vkBeginCommandBuffer", err));
    l->recording = true;
    work_barrier(l);
    return VX_OK;
}

static void record(vx_vk_lane *l, const command *c)
{
    const vx_vk_api *api = &l->vk->api;
    VkCommandBuffer b = l->buffer[l->at];
    if (c->pipe == VK_NULL_HANDLE) {
        api->CmdCopyBuffer(b, c->from, c->to, 1, &c->copy);
        return;
    }
    api->CmdBindPipeline(b, VK_PIPELINE_BIND_POINT_COMPUTE, c->pipe);
    api->CmdPushConstants(b, vx_vk_pipe_layout(l->vk), VK_SHADER_STAGE_COMPUTE_BIT, 0,
                          c->push_bytes, c->push);
    api->CmdDispatch(b, c->size[0], c->size[1], c->size[2]);
}

/* Records what waits. */
static vx_status drain(vx_vk_lane *l, vx_error *err)
{
    if (l->count == 0) return VX_OK;
    VX_TRY(begin(l, err));
    for (int left = l->count; left > 0; left--) {
        int next = l->count - left;
        if (l->vk->options.shuffle != 0) {
            uint32_t word[4];
            vx_philox(l->vk->options.shuffle, VX_STREAM_TEST, l->drawn++, word);
            int drawn = next + (int)(word[0] % (uint32_t)left);
            command c = l->waiting[drawn];
            l->waiting[drawn] = l->waiting[next];
            l->waiting[next] = c;
        }
        record(l, &l->waiting[next]);
    }
    l->count = 0;
    work_barrier(l);
    return VX_OK;
}

static bool meet(const vx_vk_range *a, const vx_vk_range *b)
{
    return (a->write || b->write) && a->at < b->at + b->bytes && b->at < a->at + a->bytes;
}

static bool depends(const command *c, const command *on)
{
    for (int i = 0; i < c->ranges; i++)
        for (int k = 0; k < on->ranges; k++)
            if (meet(&c->range[i], &on->range[k])) return true;
    return false;
}

static vx_status add(vx_vk_lane *l, const command *c, vx_error *err)
{
    bool now = l->count == WAITING;
    for (int i = 0; i < l->count && !now; i++)
        now = depends(c, &l->waiting[i]);
    if (now) VX_TRY(drain(l, err));
    l->waiting[l->count++] = *c;
    return VX_OK;
}

/* ---- submitting ---- */

static vx_status submit(vx_vk_lane *l, vx_error *err)
{
    VX_TRY(drain(l, err));
    if (!l->recording) return VX_OK;
    vx_vk *vk = l->vk;
    barrier(l, VK_PIPELINE_STAGE_2_HOST_BIT, VK_ACCESS_2_HOST_READ_BIT);
    l->recording = false;
    VX_TRY(vx_vk_check(vk->api.EndCommandBuffer(l->buffer[l->at]), "vkEndCommandBuffer", err));
    const VkCommandBufferSubmitInfo buffer = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO,
                                              .commandBuffer = l->buffer[l->at]};
    const VkSemaphoreSubmitInfo done = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                        .semaphore = l->timeline,
                                        .value = l->submitted + 1,
                                        .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT};
    const VkSubmitInfo2 info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                .commandBufferInfoCount = 1,
                                .pCommandBufferInfos = &buffer,
                                .signalSemaphoreInfoCount = 1,
                                .pSignalSemaphoreInfos = &done};
    pthread_mutex_lock(&vk->lock);
    VkResult result = vk->api.QueueSubmit2(vk->queue, 1, &info, VK_NULL_HANDLE);
    pthread_mutex_unlock(&vk->lock);
    VX_TRY(vx_vk_check(result, "vkQueueSubmit2", err));
    l->value[l->at] = ++l->submitted;
    l->at = (l->at + 1) % SUBMISSIONS;
    return VX_OK;
}

vx_status vx_vk_flush(vx_lane *lane, vx_error *err)
{
    return submit(lane->state, err);
}

/* Waits for all that was submitted and hands over what reads have brought. */
static vx_status settle(vx_vk_lane *l, vx_error *err)
{
    vx_status status = wait_for(l, l->submitted, err);
    for (int i = 0; i < l->reads && status == VX_OK; i++)
        memcpy(l->read[i].host, l->read[i].staged, l->read[i].bytes);
    l->reads = 0;
    l->down.used = 0;
    return status;
}

vx_status vx_vk_finish(vx_lane *lane, vx_error *err)
{
    return settle(lane->state, err);
}

/* Failures are not told: one has been already. */
void vx_vk_abandon(vx_lane *lane)
{
    vx_vk_lane *l = lane->state;
    l->count = l->reads = 0;
    if (l->recording) l->vk->api.EndCommandBuffer(l->buffer[l->at]);
    l->recording = false;
    (void)settle(l, NULL);
}

/* ---- transfers ---- */

static command copy_between(vx_vk *vk, uint64_t from, uint64_t to, size_t bytes)
{
    const vx_vk_block *a = vx_vk_block_of(vk, from), *b = vx_vk_block_of(vk, to);
    return (command){.from = a->buffer,
                     .to = b->buffer,
                     .copy = {from - a->at, to - b->at, bytes},
                     .range = {{from, bytes, false}, {to, bytes, true}},
                     .ranges = 2};
}

vx_status vx_vk_stage(vx_lane *lane, size_t bytes, void **host, vx_error *err)
{
    vx_vk_lane *l = lane->state;
    ring *r = &l->up;
    assert(bytes > 0 && bytes <= VX_VK_STAGE);
    if (r->used + vx_align_up(bytes) > VX_VK_STAGE) {
        VX_TRY(submit(l, err));
        r->until[r->half] = l->submitted;
        r->half = (r->half + 1) % HALVES;
        r->used = 0;
        VX_TRY(wait_for(l, r->until[r->half], err));
    }
    *host = (char *)r->block->host + (size_t)r->half * VX_VK_STAGE + r->used;
    return VX_OK;
}

/* The place that vx_vk_stage gave, as the device sees it, now taken. */
static uint64_t staged_at(vx_vk_lane *l, size_t bytes)
{
    ring *r = &l->up;
    uint64_t at = r->block->at + (uint64_t)r->half * VX_VK_STAGE + r->used;
    r->used += vx_align_up(bytes);
    return at;
}

vx_status vx_vk_staged(vx_lane *lane, vx_dev to, size_t bytes, vx_error *err)
{
    vx_vk_lane *l = lane->state;
    command c = copy_between(l->vk, staged_at(l, bytes), to.at, bytes);
    return add(l, &c, err);
}

vx_status vx_vk_write(vx_lane *lane, vx_dev to, const void *host, size_t bytes, vx_error *err)
{
    for (size_t done = 0; done < bytes;) {
        size_t part = bytes - done < VX_VK_STAGE ? bytes - done : VX_VK_STAGE;
        void *stage;
        VX_TRY(vx_vk_stage(lane, part, &stage, err));
        memcpy(stage, (const char *)host + done, part);
        VX_TRY(vx_vk_staged(lane, vx_dev_plus(to, (int64_t)done), part, err));
        done += part;
    }
    return VX_OK;
}

/* A place for what comes to the host; all of the ring is one piece. */
static vx_status bring(vx_vk_lane *l, void *host, size_t bytes, uint64_t *at, vx_error *err)
{
    ring *r = &l->down;
    assert(bytes <= (size_t)HALVES * VX_VK_STAGE);
    if (l->reads == READS || r->used + vx_align_up(bytes) > (size_t)HALVES * VX_VK_STAGE) {
        VX_TRY(submit(l, err));
        VX_TRY(settle(l, err));
    }
    *at = r->block->at + r->used;
    l->read[l->reads++] = (brought){host, (char *)r->block->host + r->used, bytes};
    r->used += vx_align_up(bytes);
    return VX_OK;
}

vx_status vx_vk_read(vx_lane *lane, vx_dev from, void *host, size_t bytes, vx_error *err)
{
    vx_vk_lane *l = lane->state;
    for (size_t done = 0; done < bytes;) {
        size_t part = bytes - done < VX_VK_STAGE ? bytes - done : VX_VK_STAGE;
        uint64_t at;
        VX_TRY(bring(l, (char *)host + done, part, &at, err));
        command c = copy_between(l->vk, from.at + done, at, part);
        VX_TRY(add(l, &c, err));
        done += part;
    }
    return VX_OK;
}

/* Rows that lie apart go through a dispatch between them and a dense copy of theirs. */
static vx_vk_work work_of(vx_ctx *ctx)
{
    return (vx_vk_work){.vk = vx_vk_of(ctx->backend), .lane = ctx->lane->state, .err = ctx->err};
}

static size_t row_bytes(const vx_tensor *t)
{
    size_t bytes = (size_t)vx_cols(t) * vx_dtype_bytes(t->dtype);
    assert(bytes > 0 && bytes <= VX_VK_STAGE);
    return bytes;
}

vx_status vx_vk_upload(vx_ctx *ctx, const void *host, vx_tensor *out)
{
    vx_vk_work work = work_of(ctx);
    int64_t rows = vx_rows(out);
    if (vx_dense(out) && rows > 0)
        VX_TRY(vx_vk_write(ctx->lane, out->data, host,
                           (size_t)vx_elements(out) * vx_dtype_bytes(out->dtype), ctx->err));
    for (int64_t r = 0; r < rows && !vx_dense(out);) {
        int64_t most = (int64_t)(VX_VK_STAGE / row_bytes(out));
        int64_t count = rows - r < most ? rows - r : most;
        size_t bytes = (size_t)count * row_bytes(out);
        void *stage;
        VX_TRY(vx_vk_stage(ctx->lane, bytes, &stage, ctx->err));
        memcpy(stage, (const char *)host + (size_t)r * row_bytes(out), bytes);
        vx_tensor from = vx_view2((vx_dev){staged_at(work.lane, bytes)}, out->dtype, count,
                                  vx_cols(out)),
                  to = vx_slice_rows(out, r, count);
        vx_vk_copy(&work, &(vx_copy_args){.x = &from, .out = &to});
        r += count;
    }
    vx_vk_zero_halo(&work, out);
    return work.status;
}

vx_status vx_vk_download(vx_ctx *ctx, const vx_tensor *x, void *host)
{
    vx_vk_work work = work_of(ctx);
    int64_t rows = vx_rows(x);
    if (rows == 0) return VX_OK;
    if (vx_dense(x))
        return vx_vk_read(ctx->lane, x->data, host,
                          (size_t)vx_elements(x) * vx_dtype_bytes(x->dtype), ctx->err);
    for (int64_t r = 0; r < rows;) {
        int64_t most = (int64_t)(VX_VK_STAGE / row_bytes(x));
        int64_t count = rows - r < most ? rows - r : most;
        uint64_t at;
        VX_TRY(bring(work.lane, (char *)host + (size_t)r * row_bytes(x),
                     (size_t)count * row_bytes(x), &at, ctx->err));
        vx_tensor from = vx_slice_rows(x, r, count),
                  to = vx_view2((vx_dev){at}, x->dtype, count, vx_cols(x));
        vx_vk_copy(&work, &(vx_copy_args){.x = &from, .out = &to});
        r += count;
    }
    return work.status;
}

/* ---- dispatches ---- */

void vx_vk_refuse(vx_vk_work *work)
{
    if (work->status == VX_OK) work->status = VX_ERR_MISSING;
}

void vx_vk_do(vx_vk_work *work, const vx_vk_dispatch *d)
{
    command c = {.push_bytes = d->push_bytes, .ranges = d->ranges};
    if (work->status != VX_OK || d->size[0] == 0 || d->size[1] == 0 || d->size[2] == 0) return;
    work->status = vx_vk_pipe(work->vk, d->shader, d->constant, d->constants, &c.pipe, work->err);
    if (work->status != VX_OK || work->lane == NULL) return;
    assert(d->push_bytes <= VX_VK_PUSH_BYTES);
    memcpy(c.push, d->push, d->push_bytes);
    memcpy(c.size, d->size, sizeof c.size);
    memcpy(c.range, d->range, sizeof c.range);
    work->status = add(work->lane, &c, work->err);
}

static void range_of(vx_vk_dispatch *d, const vx_tensor *t, bool write)
{
    if (t == NULL || vx_elements(t) == 0) return;
    int64_t bytes = (int64_t)vx_dtype_bytes(t->dtype), rows = vx_rows(t) + 2 * t->halo;
    assert(d->ranges < VX_VK_RANGES);
    d->range[d->ranges++] = (vx_vk_range){
        vx_row_at(t, -t->halo).at, (uint64_t)(((rows - 1) * t->ld + vx_cols(t)) * bytes), write};
}

void vx_vk_reads(vx_vk_dispatch *d, const vx_tensor *t)
{
    range_of(d, t, false);
}

void vx_vk_writes(vx_vk_dispatch *d, const vx_tensor *t)
{
    range_of(d, t, true);
}

static void range_bytes(vx_vk_dispatch *d, uint64_t at, uint64_t bytes, bool write)
{
    assert(d->ranges < VX_VK_RANGES);
    if (bytes > 0) d->range[d->ranges++] = (vx_vk_range){at, bytes, write};
}

void vx_vk_reads_bytes(vx_vk_dispatch *d, uint64_t at, uint64_t bytes)
{
    range_bytes(d, at, bytes, false);
}

void vx_vk_writes_bytes(vx_vk_dispatch *d, uint64_t at, uint64_t bytes)
{
    range_bytes(d, at, bytes, true);
}

/* A device takes at least 65535 workgroups along each axis. */
void vx_vk_each(vx_vk_dispatch *d, int64_t elements)
{
    int64_t groups = (elements + d->constant[0] - 1) / d->constant[0];
    uint32_t across = groups < 32768 ? (uint32_t)groups : 32768;
    assert(elements >= 0 && elements < INT64_C(1) << 32);
    d->size[0] = across;
    d->size[1] = across > 0 ? (uint32_t)((groups + across - 1) / across) : 0;
    d->size[2] = 1;
}
