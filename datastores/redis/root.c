#include <string.h>

#include "acl.h"
#include "connection.h"
#include "engine.h"
#include "error.h"
#include "json.h"
#include "redis.h"
#include "rules.h"
#include "task.h"
#include "users.h"

#define PRIVILEGES                                                                                 \
    "all keys and channels; all commands but @admin and @dangerous, with KEYS FLUSHDB FLUSHALL "   \
    "SWAPDB SORT INFO SLOWLOG LATENCY CONFIG GET and CLIENT LIST"

static bool change_root(struct task *task, redisContext *db, const struct words *words, bool login,
                        struct error *err)
{
    struct change change = { .commands = words, .count = 1, .name = REDIS_ROOT, .login = login };
    struct error each = { 0 };

    if (!users_change(task, db, &change, &each, err)) {
        error_clear(&each);
        return false;
    }
    if (each.reason != ERROR_NONE) {
        error_move(err, &each);
        return false;
    }
    return true;
}

static void begin(struct words *words)
{
    words_add(words, "ACL");
    words_add(words, "SETUSER");
    words_add(words, REDIS_ROOT);
    words_add(words, "reset");
}

bool redis_root_enable(struct task *task, const char *password, struct error *err)
{
    autoptr(redisContext) db = connection_open(task, err);
    autofree char *hash = password_hash(password);
    autowords struct words words = { 0 };

    if (db == NULL)
        return false;
    begin(&words);
    words_add(&words, hash);
    rules_root(task, &words);
    words_add(&words, users_login(task));
    return change_root(task, db, &words, true, err);
}

/* Dropping the account ends its sessions; it comes back by enabling it. */
bool redis_root_disable(struct task *task, struct json_object *left_behind, struct error *err)
{
    autoptr(redisContext) db = connection_open(task, err);
    autoptr(acl) acl = db == NULL ? NULL : acl_read(task->engine, db, err);
    autowords struct words words = { 0 };

    if (acl == NULL)
        return false;
    if (acl_find(acl, REDIS_ROOT) == NULL)
        return true;
    words_add(&words, "ACL");
    words_add(&words, "DELUSER");
    words_add(&words, REDIS_ROOT);
    json_object_array_add(left_behind,
                          json_object_new_string("keys, functions and scripts that it made stay: "
                                                 "the engine does not note whose they are"));
    return change_root(task, db, &words, false, err);
}

bool redis_root_status(struct task *task, struct json_object *row, struct error *err)
{
    autoptr(redisContext) db = connection_open(task, err);
    autoptr(acl) acl = db == NULL ? NULL : acl_read(task->engine, db, err);

    if (acl == NULL)
        return false;
    const char *line = acl_find(acl, REDIS_ROOT);
    json_add_bool(row, "enabled", line != NULL && acl_is_login(line));
    json_add_string(row, "privileges", PRIVILEGES);
    return true;
}
