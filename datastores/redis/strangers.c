#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "error.h"
#include "memory.h"
#include "redis.h"
#include "text.h"

/* What somebody may say who is nobody: knocking, and going away. */
static bool is_knock(const char *name)
{
    static const char *const knocks[] = { "auth:", "hello:", "quit:", "reset:" };

    for (size_t i = 0; i < ARRAY_SIZE(knocks); i++)
        if (text_starts(name, knocks[i]))
            return true;
    return false;
}

/* Commands that the engine has carried out since its start, "cmdstat_config|get:calls=3,..."; those
 * of clients at the closed gate it refuses. */
bool redis_strangers(struct task *task, int64_t before, int64_t *count, struct error *err)
{
    static const char prefix[] = "cmdstat_";
    autoptr(redisContext) db = connection_open(task, err);
    int64_t ours = connection_commands();
    autofree char *info = db == NULL ? NULL : connection_info(db, "commandstats", err);
    int64_t sum = 0;

    (void)before;
    if (info == NULL)
        return false;
    for (const char *line = info; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *calls = strstr(line, ":calls=");
        if (text_starts(line, prefix) && !is_knock(line + strlen(prefix)) && calls != NULL)
            sum += strtoll(calls + strlen(":calls="), NULL, 10);
    }
    *count = sum - ours;
    return true;
}
