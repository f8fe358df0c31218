/*
 * The datastores redis and valkey: one program, for they differ in names only. What differs is in
 * struct flavour. Each function here is a member of struct datastore; its contract is there.
 *
 * In a generation's conf/, besides what the engine reads only (redis.conf and its includes):
 *
 *     acl/users.acl      what the engine has loaded; the folder is the engine's, for ACL SAVE
 *     users.open.acl     only while the gate is closed: what users.acl is to be when it opens
 * (acl.h) gate.conf          no rewrites and saves while the gate is closed (CRASH.md C23)
 *     kept.conf          settings that only memory held (C20)
 *     chosen.json        which settings were asked for, and which chosen by memory
 */
#ifndef DBGUEST_REDIS_H
#define DBGUEST_REDIS_H

#include "datastore.h"

#define REDIS_AGENT "dbguest"
#define REDIS_ROOT "root"
#define REDIS_SOCKET "redis.sock"
#define REDIS_NAME_BYTES ((size_t)255)

struct flavour {
    const char *name;         /* "redis" */
    const char *said;         /* how its --version begins: "Redis server v=" */
    const char *info_version; /* the member of INFO: "redis_version" */
    const char *const *programs;
};

/* Of a datastore's name; there always is one. */
const struct flavour *flavour_find(const char *name);
/* Whether the engine of task is of this version or newer; valkey counts as redis 7.2. */
bool redis_at_least(const struct task *task, const char *version);

bool redis_probe(struct task *task, struct json_object *manifest, struct error *err);
enum edge redis_edge(const char *from, const char *to, const char **reason);
enum edge valkey_edge(const char *from, const char *to, const char **reason);
bool redis_check_upgrade(struct task *task, struct json_object *target,
                         struct json_object *findings, struct error *err);
/* The newest RDB format that a version reads, as the four digits of a dump's head say it. */
int redis_rdb_format(const char *datastore, const char *version);

bool redis_configure(struct task *task, struct json_object *settings, enum gate gate,
                     struct error *err);
bool redis_check_settings(struct task *task, struct error *err);
bool redis_reload(struct task *task, struct json_object *restart_needed, struct error *err);

bool redis_initialize(struct task *task, struct error *err);
bool redis_start(struct task *task, struct error *err);
bool redis_settle(struct task *task, struct error *err);
bool redis_unsettle(struct task *task, struct error *err);
bool redis_before_stop(struct task *task, bool thorough, struct error *err);
void redis_urge_stop(struct task *task);
bool redis_status(struct task *task, struct json_object *status, struct error *err);

bool redis_gate(struct task *task, enum gate gate, int *ended, struct error *err);
bool redis_strangers(struct task *task, int64_t before, int64_t *count, struct error *err);
bool redis_evict(struct task *task, struct error *err);
bool redis_keep_memory(struct task *task, struct error *err);
bool redis_carry(struct task *task, const struct engine *from, struct error *err);

bool redis_facts(struct task *task, struct json_object *facts, struct error *err);
bool redis_facts_follow(struct json_object *before, struct json_object *after, struct error *err);
bool redis_position_follows(const char *before, const char *after);

bool redis_user_list(struct task *task, struct page *page, struct error *err);
bool redis_user_show(struct task *task, const char *name, struct json_object *row,
                     struct error *err);
bool redis_user_create(struct task *task, const struct user *users, size_t count,
                       struct error *each, struct error *err);
bool redis_user_drop(struct task *task, const struct user *users, size_t count, struct error *each,
                     struct error *err);
bool redis_user_grant(struct task *task, const struct user *users, size_t count, struct error *each,
                      struct error *err);
bool redis_user_revoke(struct task *task, const struct user *users, size_t count,
                       struct error *each, struct error *err);
bool redis_user_set_password(struct task *task, const struct user *users, size_t count,
                             struct error *each, struct error *err);
bool redis_user_rename(struct task *task, const struct user *user, struct error *err);

bool redis_root_enable(struct task *task, const char *password, struct error *err);
bool redis_root_disable(struct task *task, struct json_object *left_behind, struct error *err);
bool redis_root_status(struct task *task, struct json_object *row, struct error *err);

bool redis_backup_form(struct task *task, struct backup_form *form, struct error *err);
bool redis_backup(struct task *task, int output, struct json_object *manifest, struct error *err);
bool redis_backup_undo(struct task *task, struct error *err);
bool redis_restore(struct task *task, int input, struct json_object *manifest, struct error *err);

#endif
