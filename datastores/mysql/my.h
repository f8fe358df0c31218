/*
 * The datastores mariadb and mysql, function by function; the contracts are in datastore.h.
 *
 * Accounts: root@localhost is the agent's, by the uid at the other end of the socket only.
 * 'root'@'%' is the tenant's when root.enable was called. Everybody else is 'name'@'%'.
 */
#ifndef MYSQL_MY_H
#define MYSQL_MY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connection.h"
#include "datastore.h"
#include "task.h"

struct json_object;

/* Options of the servers and tools, as these see the paths. */
#define MY_DEFAULTS ("--defaults-file=" ENGINE_CONF "/my.cnf")
#define MY_SOCKET ("--socket=" ENGINE_SOCKETS "/mysql.sock")

/* settings.c */
bool mysql_configure(struct task *task, struct json_object *settings, enum gate gate,
                     struct error *err);
bool mysql_check_settings(struct task *task, struct error *err);
/* What the tenant chose: an object the caller owns; NULL when it fails. */
struct json_object *my_settings(const struct task *task, struct error *err);
/* What was chosen by memory, likewise. */
struct json_object *my_memory_settings(const struct task *task, struct error *err);
/* The server's path inside the tree; NULL with err. Caller frees. */
char *my_server(const struct task *task, struct error *err);

/* names.c */
/* "log-bin" and "log_bin" are one; the caller frees. NULL when it cannot be the name of a setting.
 */
char *my_setting_name(const char *name);
/* Whether no tenant may choose it; name as the above gives it. */
bool my_setting_is_ours(const char *name);
/* Those, and what has another default here than the server's: no reload puts it back. */
bool my_setting_is_chosen_by_us(const char *name);

/* reload.c */
bool mysql_reload(struct task *task, struct json_object *restart_needed, struct error *err);
/* Adds names of settings of ours that the running server does not have in force. */
bool my_find_restart_needed(struct task *task, struct connection *db, struct json_object *names,
                            struct error *err);
/* Adds a finding for each setting of the running server that the next start takes back (C20). */
bool my_find_changed(struct task *task, struct connection *db, struct json_object *findings,
                     struct error *err);
/* SET GLOBAL name = value, as a number where it is one; value NULL: the server's default. False
 * with err: look at my_errno(). */
bool my_set_global(struct connection *db, const char *name, const char *value, struct error *err);

/* gate.c */
bool my_write_gate(const struct task *task, const char *event_scheduler, enum gate gate,
                   struct error *err);
/* The event scheduler as it is to be with the gate open. */
bool my_open_events(struct task *task, struct connection *db, struct error *err);
bool mysql_gate(struct task *task, enum gate gate, int *ended, struct error *err);
/* Ends all sessions that rows of the SQL name in their first column, until it finds none. */
bool my_end_sessions(struct task *task, struct connection *db, const char *sql, int *ended,
                     struct error *err);

/* service.c */
bool mysql_initialize(struct task *task, struct error *err);
bool mysql_start(struct task *task, struct error *err);
bool mysql_settle(struct task *task, struct error *err);
bool mysql_unsettle(struct task *task, struct error *err);
bool mysql_before_stop(struct task *task, bool thorough, struct error *err);

/* strangers.c: what was said until now counts as ours. */
bool my_excuse_statements(struct connection *db, struct error *err);

/* adapt.c */
bool mariadb_adapt(struct task *task, struct json_object *noted, bool migrated, struct error *err);

bool mysql_status(struct task *task, struct json_object *status, struct error *err);

/* strangers.c */
bool mysql_strangers(struct task *task, int64_t before, int64_t *count, struct error *err);

/* version.c */
bool mysql_probe(struct task *task, struct json_object *manifest, struct error *err);
enum edge mariadb_edge(const char *from, const char *to, const char **reason);
enum edge mysql_edge(const char *from, const char *to, const char **reason);
bool mysql_check_upgrade(struct task *task, struct json_object *target,
                         struct json_object *findings, struct error *err);
/* The first file below the data folder that leads out of it (C15); NULL when there is none. */
char *my_find_outside(const char *files);

/* facts.c */
bool mysql_facts(struct task *task, struct json_object *facts, struct error *err);
bool mysql_position_follows(const char *before, const char *after);
/* Where the history is: a GTID position, or the log's sequence number. Caller frees. */
char *my_position(struct task *task, struct connection *db, struct error *err);

/* databases.c */
bool mysql_database_list(struct task *task, struct page *page, struct error *err);
bool mysql_database_show(struct task *task, const char *name, struct json_object *row,
                         struct error *err);
bool mysql_database_create(struct task *task, const struct database *databases, size_t count,
                           struct error *each, struct error *err);
bool mysql_database_drop(struct task *task, const struct database *databases, size_t count,
                         struct error *each, struct error *err);

/* access.c */
/* The names of all databases of tenants, as keys; the caller owns it. NULL when it fails. */
struct json_object *my_databases(struct connection *db, struct error *err);
/* Fails with not_found or invalid. */
bool my_check_databases(struct json_object *existing, const struct user *user, struct error *err);
/* SQL: what access the columns of the row `d` of mysql.db amount to. */
extern const char my_access_of_row[];
/*
 * Gives all users whose each[i] has no reason their databases, with as few statements as it takes;
 * one that fails marks all users in it. Whatever else they had on these databases goes, but of
 * fresh users, who have nothing yet.
 */
void my_grant_all(struct connection *db, const struct user *users, size_t count, bool fresh,
                  struct error *each);

/* users.c */
bool mysql_user_list(struct task *task, struct page *page, struct error *err);
bool mysql_user_show(struct task *task, const char *name, struct json_object *row,
                     struct error *err);
bool mysql_user_create(struct task *task, const struct user *users, size_t count,
                       struct error *each, struct error *err);
bool mysql_user_drop(struct task *task, const struct user *users, size_t count, struct error *each,
                     struct error *err);
bool mysql_user_grant(struct task *task, const struct user *users, size_t count, struct error *each,
                      struct error *err);
bool mysql_user_revoke(struct task *task, const struct user *users, size_t count,
                       struct error *each, struct error *err);
bool mysql_user_set_password(struct task *task, const struct user *users, size_t count,
                             struct error *each, struct error *err);
bool mysql_user_rename(struct task *task, const struct user *user, struct error *err);

/* root.c */
bool mysql_root_enable(struct task *task, const char *password, struct error *err);
bool mysql_root_disable(struct task *task, struct json_object *left_behind, struct error *err);
bool mysql_root_status(struct task *task, struct json_object *row, struct error *err);

/* backup.c, dump.c */
bool mariadb_backup_form(struct task *task, struct backup_form *form, struct error *err);
bool mariadb_backup(struct task *task, int output, struct json_object *manifest, struct error *err);
bool mariadb_restore(struct task *task, int input, struct json_object *manifest, struct error *err);
bool mysql_backup_form(struct task *task, struct backup_form *form, struct error *err);
bool mysql_backup(struct task *task, int output, struct json_object *manifest, struct error *err);
bool mysql_restore(struct task *task, int input, struct json_object *manifest, struct error *err);

#endif
