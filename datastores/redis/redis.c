#include "redis.h"

#include <stddef.h>

#include "worker.h"

static const char *const redis_packages[] = { "redis-server", NULL };
static const char *const valkey_packages[] = { "valkey-server", NULL };

static const char *const remarks[] = {
    "databases are numbered and have no names: user.* says who may reach which keys",
    "users' names hold no white space; the names default, dbguest and root are reserved",
    "no user has @admin or @dangerous, but INFO and, from 7.0 on, SORT",
    "write is all but changing functions and dropping others' scripts; read has no scripts",
    "without keys a user reaches all keys and channels; with keys only the channels given",
    "user.revoke without keys, channels and categories takes everything",
    "whether there is an append-only file (appendonly) is chosen when an instance is made",
    "without an append-only file an instance is saved before each stop, and loses much when killed",
    NULL,
};

#define COMMON                                                                                     \
    .name_bytes = REDIS_NAME_BYTES, .remarks = remarks, .probe = redis_probe,                      \
    .configure = redis_configure, .initialize = redis_initialize,                                  \
    .check_settings = redis_check_settings, .start = redis_start, .settle = redis_settle,          \
    .unsettle = redis_unsettle, .before_stop = redis_before_stop, .urge_stop = redis_urge_stop,    \
    .gate = redis_gate, .strangers = redis_strangers, .evict = redis_evict,                        \
    .keep_memory = redis_keep_memory, .carry = redis_carry, .status = redis_status,                \
    .reload = redis_reload, .facts = redis_facts, .facts_follow = redis_facts_follow,              \
    .position_follows = redis_position_follows, .check_upgrade = redis_check_upgrade,              \
    .user_list = redis_user_list, .user_show = redis_user_show, .user_create = redis_user_create,  \
    .user_drop = redis_user_drop, .user_grant = redis_user_grant,                                  \
    .user_revoke = redis_user_revoke, .user_set_password = redis_user_set_password,                \
    .user_rename = redis_user_rename, .root_enable = redis_root_enable,                            \
    .root_disable = redis_root_disable, .root_status = redis_root_status,                          \
    .backup_form = redis_backup_form, .backup = redis_backup, .backup_undo = redis_backup_undo,    \
    .restore = redis_restore

static const struct datastore redis = {
    .name = "redis",
    .user = "redis",
    .packages = redis_packages,
    .edge = redis_edge,
    COMMON,
};

static const struct datastore valkey = {
    .name = "valkey",
    .user = "valkey",
    .packages = valkey_packages,
    .edge = valkey_edge,
    COMMON,
};

int main(int argc, char **argv)
{
    static const struct datastore *const stores[] = { &redis, &valkey, NULL };

    return worker_main(argc, argv, stores);
}
