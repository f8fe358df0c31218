/*
 * The datastore "fake": everything that a datastore has, on an engine of 400 lines that starts in
 * a millisecond, so that each step of each operation can be killed in a test. Each function here is
 * a member of struct datastore; its contract is there.
 *
 * Settings: max_clients (live), memory (wants a restart), and the misbehaviours fail_start,
 * slow_start, die_soon, hang_stop, lie, slow_dump, each set to the version that shows it, or "all".
 */
#ifndef FAKE_H
#define FAKE_H

#include "datastore.h"

#define FAKE_PROGRAM "/usr/bin/fake-engine"

bool fake_probe(struct task *task, struct json_object *manifest, struct error *err);
enum edge fake_edge(const char *from, const char *to, const char **reason);
bool fake_check_upgrade(struct task *task, struct json_object *target, struct json_object *findings,
                        struct error *err);

bool fake_configure(struct task *task, struct json_object *settings, enum gate gate,
                    struct error *err);
bool fake_check_settings(struct task *task, struct error *err);
bool fake_reload(struct task *task, struct json_object *restart_needed, struct error *err);

bool fake_initialize(struct task *task, struct error *err);
bool fake_start(struct task *task, struct error *err);
bool fake_settle(struct task *task, struct error *err);
bool fake_unsettle(struct task *task, struct error *err);
bool fake_before_stop(struct task *task, bool thorough, struct error *err);
bool fake_migrate(struct task *task, struct engine *from, enum file_copy how, struct error *err);
bool fake_adapt(struct task *task, struct json_object *noted, bool migrated, struct error *err);
bool fake_gate(struct task *task, enum gate gate, int *ended, struct error *err);
bool fake_strangers(struct task *task, int64_t before, int64_t *count, struct error *err);
bool fake_evict(struct task *task, struct error *err);
bool fake_status(struct task *task, struct json_object *status, struct error *err);
bool fake_facts(struct task *task, struct json_object *facts, struct error *err);
bool fake_position_follows(const char *before, const char *after);

bool fake_database_list(struct task *task, struct page *page, struct error *err);
bool fake_database_show(struct task *task, const char *name, struct json_object *row,
                        struct error *err);
bool fake_database_create(struct task *task, const struct database *databases, size_t count,
                          struct error *each, struct error *err);
bool fake_database_drop(struct task *task, const struct database *databases, size_t count,
                        struct error *each, struct error *err);

bool fake_user_list(struct task *task, struct page *page, struct error *err);
bool fake_user_show(struct task *task, const char *name, struct json_object *row,
                    struct error *err);
bool fake_user_create(struct task *task, const struct user *users, size_t count, struct error *each,
                      struct error *err);
bool fake_user_drop(struct task *task, const struct user *users, size_t count, struct error *each,
                    struct error *err);
bool fake_user_grant(struct task *task, const struct user *users, size_t count, struct error *each,
                     struct error *err);
bool fake_user_revoke(struct task *task, const struct user *users, size_t count, struct error *each,
                      struct error *err);
bool fake_user_set_password(struct task *task, const struct user *users, size_t count,
                            struct error *each, struct error *err);
bool fake_user_rename(struct task *task, const struct user *user, struct error *err);

bool fake_root_enable(struct task *task, const char *password, struct error *err);
bool fake_root_disable(struct task *task, struct json_object *left_behind, struct error *err);
bool fake_root_status(struct task *task, struct json_object *row, struct error *err);

bool fake_backup_form(struct task *task, struct backup_form *form, struct error *err);
bool fake_backup(struct task *task, int output, struct json_object *manifest, struct error *err);
bool fake_backup_undo(struct task *task, struct error *err);
bool fake_restore(struct task *task, int input, struct json_object *manifest, struct error *err);

#endif
