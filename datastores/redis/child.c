#include "child.h"

#include <stdlib.h>

#include "task.h"

#define POLL_MS 5

static bool await(struct task *task, redisContext *db, const char *const names[2],
                  struct error *err)
{
    for (;;) {
        autofree char *info = connection_info(db, "persistence", err);
        if (info == NULL)
            return false;
        if (info_number(info, names[0]) == 0 && info_number(info, names[1]) == 0)
            return true;
        if (!task_goes_on(task, err))
            return false;
        task_sleep_ms(task, POLL_MS);
    }
}

bool child_await_rewrite(struct task *task, redisContext *db, struct error *err)
{
    static const char *const names[] = { "aof_rewrite_in_progress", "aof_rewrite_scheduled" };

    return await(task, db, names, err);
}

bool child_await_save(struct task *task, redisContext *db, struct error *err)
{
    static const char *const names[] = { "rdb_bgsave_in_progress", "aof_rewrite_in_progress" };

    return await(task, db, names, err);
}
