#include "disk.h"

#include <stdlib.h>
#include <sys/statvfs.h>
#include <uv.h>

#include "config.h"
#include "daemon.h"
#include "log.h"
#include "memory.h"

#define PATIENCE_MS 1000

/* Over when both the pool and the timer are done with it. */
struct asking {
    struct daemon *daemon;
    uv_timer_t timer; /* until nobody waits any more */
    void (*then)(void *context, const struct disk *disk);
    void *context;
    struct disk disk;
    bool asked;  /* the pool is done */
    bool closed; /* the timer is */
};

/* The disk owes an answer: more questions would only pile up. */
static bool hangs;

static void asking_free(struct asking *asking)
{
    if (asking->asked && asking->closed)
        free(asking);
}

static void disk_on_closed(uv_handle_t *timer)
{
    struct asking *asking = timer->data;

    asking->closed = true;
    asking_free(asking);
}

static void answer(struct asking *asking)
{
    asking->then(asking->context, &asking->disk);
    uv_close((uv_handle_t *)&asking->timer, disk_on_closed);
}

static void ask_on_pool(void *context)
{
    struct asking *asking = context;
    struct statvfs status = { 0 };

    if (statvfs(asking->daemon->config->site.state_dir, &status) != 0)
        return;
    asking->disk.free_bytes = (int64_t)(status.f_bavail * status.f_frsize);
    asking->disk.total_bytes = (int64_t)(status.f_blocks * status.f_frsize);
}

static void ask_on_done(void *context)
{
    struct asking *asking = context;

    asking->asked = true;
    hangs = false;
    asking->disk.known = asking->disk.total_bytes > 0;
    if (uv_is_closing((uv_handle_t *)&asking->timer))
        asking_free(asking);
    else
        answer(asking);
}

static void disk_on_time(uv_timer_t *timer)
{
    struct asking *asking = timer->data;

    if (!hangs)
        log_error("the disk of '%s' does not answer", asking->daemon->config->site.state_dir);
    hangs = true;
    asking->then(asking->context, &(struct disk){ 0 });
    uv_close((uv_handle_t *)timer, disk_on_closed);
}

void disk_ask(struct daemon *daemon, void (*then)(void *context, const struct disk *disk),
              void *context)
{
    if (hangs) {
        then(context, &(struct disk){ 0 });
        return;
    }
    struct asking *asking = xcalloc(1, sizeof(*asking));

    *asking = (struct asking){ .daemon = daemon, .then = then, .context = context };
    uv_timer_init(daemon->loop, &asking->timer);
    asking->timer.data = asking;
    uv_timer_start(&asking->timer, disk_on_time, PATIENCE_MS, 0);
    work_queue(daemon, ask_on_pool, ask_on_done, asking);
}
