/*
 * The PostgreSQL datastore's functions by file; their contracts are in datastore.h. What else the
 * files have for each other is below.
 *
 * Roles: `postgres` is the agent's, by peer authentication only. `dbguest` owns the databases, so
 * that no tenant can drop one; nobody can log in as it. Each database has three groups, named by
 * its oid so that they outlive a rename: dbguest.read.N, in which is dbguest.write.N, in which is
 * dbguest.all.N. A user with access to a database is a member of one of them, and acts there as
 * that group (ALTER ROLE .. IN DATABASE .. SET role) when it may write, so that what one makes
 * belongs to all who may write, and default privileges of two roles are enough whoever comes later.
 */
#ifndef POSTGRESQL_POSTGRESQL_H
#define POSTGRESQL_POSTGRESQL_H

#include "connection.h"
#include "datastore.h"
#include "file.h"
#include "task.h"

#define PG_NAME_BYTES 63
#define PG_OWNER "dbguest"
#define PG_ROOT "root"

/* SQL: names of settings that stand in the configuration because of us, not of the operator. */
#define PG_FIXED_SETTINGS                                                                          \
    "('log_destination', 'logging_collector', 'log_timezone', 'log_line_prefix', 'lc_messages',"   \
    " 'password_encryption', 'superuser_reserved_connections', 'authentication_timeout',"          \
    " 'hot_standby', 'restore_command', 'fsync', 'full_page_writes', 'shared_buffers',"            \
    " 'effective_cache_size', 'maintenance_work_mem', 'recovery_init_sync_method')"

/* settings.c */
bool postgresql_configure(struct task *task, struct json_object *settings, enum gate gate,
                          struct error *err);
/* Of the tree, by name: "/usr/lib/postgresql/15/bin/initdb"; NULL with err. Caller frees. */
char *postgresql_program(struct task *task, const char *name, struct error *err);

/* strangers.c */
bool postgresql_strangers(struct task *task, int64_t before, int64_t *count, struct error *err);

/* check_settings.c */
bool postgresql_check_settings(struct task *task, struct error *err);

/* service.c */
bool postgresql_initialize(struct task *task, struct error *err);
/* An empty cluster in task->engine->files, which belongs to the engine's uid; not synced. */
bool postgresql_initdb(struct task *task, bool checksums, int segment_mib, struct error *err);
bool postgresql_start(struct task *task, struct error *err);
bool postgresql_settle(struct task *task, struct error *err);
bool postgresql_evict(struct task *task, struct error *err);
bool postgresql_reload(struct task *task, struct json_object *restart_needed, struct error *err);
bool postgresql_status(struct task *task, struct json_object *status, struct error *err);
/* Ends sessions and waits until none is left; condition is SQL on pg_stat_activity's columns. */
bool postgresql_end_sessions(struct task *task, PGconn *db, const char *condition,
                             struct error *err);

/* gate.c */
bool postgresql_gate(struct task *task, enum gate gate, int *ended, struct error *err);
bool postgresql_write_gate(struct task *task, enum gate gate, struct error *err);

/* version.c */
bool postgresql_probe(struct task *task, struct json_object *manifest, struct error *err);
enum edge postgresql_edge(const char *from, const char *to, const char **reason);
/* The number before the first point of a version: 15 of "15.18". */
int postgresql_major(const char *version);
/* 18 of "15.18". */
int postgresql_minor(const char *version);
/* What the tree's server prints for an option that starts nothing; NULL with err. Caller frees. */
char *postgresql_ask_server(struct task *task, const char *question, struct error *err);
/* "72.1"; NULL where there is none. Caller frees. */
char *postgresql_icu(const char *tree);

/* The minor of to_major that came out on the day of `from`; less than 1 when there was none yet, or
 * nobody knows. */
int postgresql_minor_since(const char *from, int to_major);

/* migrate.c */
bool postgresql_migrate(struct task *task, struct engine *from, enum file_copy how,
                        struct error *err);
/* The folder in which pg_upgrade works and leaves what is to be done later. Caller frees. */
char *postgresql_work(const struct engine *engine);

/* adapt.c */
bool postgresql_note(struct task *task, struct json_object *noted, struct error *err);
bool postgresql_adapt(struct task *task, struct json_object *noted, bool migrated,
                      struct error *err);
bool postgresql_polish(struct task *task, struct error *err);

/* findings.c */
bool postgresql_check_upgrade(struct task *task, struct json_object *target,
                              struct json_object *findings, struct error *err);

/* findings_target.c: of the database db is connected to; of the whole server. */
bool postgresql_check_collations(struct task *task, PGconn *db, struct json_object *target,
                                 struct json_object *findings, struct error *err);
bool postgresql_check_known(struct task *task, PGconn *db, struct json_object *target,
                            struct json_object *findings, struct error *err);

/* facts.c */
bool postgresql_facts(struct task *task, struct json_object *facts, struct error *err);
bool postgresql_facts_follow(struct json_object *before, struct json_object *after,
                             struct error *err);
bool postgresql_position_follows(const char *before, const char *after);

/* databases.c */
bool postgresql_database_list(struct task *task, struct page *page, struct error *err);
bool postgresql_database_show(struct task *task, const char *name, struct json_object *row,
                              struct error *err);
bool postgresql_database_create(struct task *task, const struct database *databases, size_t count,
                                struct error *each, struct error *err);
bool postgresql_database_drop(struct task *task, const struct database *databases, size_t count,
                              struct error *each, struct error *err);
/* Names of the databases that can be connected to, in byte order; NULL when it fails. */
PGresult *postgresql_connectable(struct task *task, PGconn *db, struct error *err);

/* access.c */
/* Fails with invalid for a name that the engine cannot have ... */
bool postgresql_check_name(const char *what, const char *name, struct error *err);
/* ... and with denied for one that is ours or the engine's. */
bool postgresql_check_user_name(const char *name, struct error *err);
/* Within a transaction in the new database: its groups, what they may, and nobody else. */
bool postgresql_make_groups(struct task *task, PGconn *db, const char *database, struct error *err);
/* Removes groups whose database is gone. */
bool postgresql_sweep_groups(struct task *task, PGconn *db, struct error *err);
/* Users and the databases that they name, once these are known to be there and ours. */
struct pg_grants {
    const struct user *users;
    size_t count;
    PGresult *databases; /* name, oid of all of ours */
};
#define autogrants __attribute__((cleanup(postgresql_grants_done)))
/* Of the users and count already set. Fails with the index as "at" when a database is missing or
 * somebody else's. */
bool postgresql_find_grants(struct task *task, PGconn *db, struct pg_grants *grants,
                            struct error *err);
void postgresql_grants_done(struct pg_grants *grants);
/* Adds what gives users[index] its access; of a user just made nothing is taken away first. */
bool postgresql_batch_grant(struct pg_batch *batch, const struct pg_grants *grants, size_t index,
                            bool fresh, struct error *err);
bool postgresql_batch_revoke(struct pg_batch *batch, const struct pg_grants *grants, size_t index,
                             struct error *err);
/*
 * Of pg_stat_activity: the sessions of users in databases where they have now more access than they
 * will have (revoke: than none). An empty condition when there are none. Caller frees.
 */
char *postgresql_losing_sessions(struct task *task, PGconn *db, const struct pg_grants *grants,
                                 bool revoke, struct error *err);

/* users.c */
bool postgresql_user_list(struct task *task, struct page *page, struct error *err);
bool postgresql_user_show(struct task *task, const char *name, struct json_object *row,
                          struct error *err);
bool postgresql_user_create(struct task *task, const struct user *users, size_t count,
                            struct error *each, struct error *err);
bool postgresql_user_grant(struct task *task, const struct user *users, size_t count,
                           struct error *each, struct error *err);
bool postgresql_user_revoke(struct task *task, const struct user *users, size_t count,
                            struct error *each, struct error *err);
bool postgresql_user_set_password(struct task *task, const struct user *users, size_t count,
                                  struct error *each, struct error *err);
bool postgresql_user_rename(struct task *task, const struct user *user, struct error *err);
/* Fails with not_found, the index as "at", unless all are users that there are. */
bool postgresql_check_users(struct task *task, PGconn *db, const struct user *users, size_t count,
                            struct error *err);
/* SQL: the names as an array of literals. Caller frees; NULL as pg_format(). */
char *postgresql_name_array(PGconn *db, const struct user *users, size_t count);

/* user_drop.c */
bool postgresql_user_drop(struct task *task, const struct user *users, size_t count,
                          struct error *each, struct error *err);

/* root.c */
bool postgresql_root_enable(struct task *task, const char *password, struct error *err);
bool postgresql_root_disable(struct task *task, struct json_object *left_behind, struct error *err);
bool postgresql_root_status(struct task *task, struct json_object *row, struct error *err);

/* backup.c */
bool postgresql_backup_form(struct task *task, struct backup_form *form, struct error *err);
bool postgresql_backup(struct task *task, int output, struct json_object *manifest,
                       struct error *err);

/* restore.c */
bool postgresql_restore(struct task *task, int input, struct json_object *manifest,
                        struct error *err);

#endif
