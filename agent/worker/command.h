/*
 * What each method of the table does: one row a method, found by its name. A read fills result; a
 * change is an operation.
 */
#ifndef DBGUEST_COMMAND_H
#define DBGUEST_COMMAND_H

#include <stdbool.h>

struct datastore;
struct error;
struct json_object;
struct operation;
struct task;

struct command {
    const char *method;
    bool (*read)(struct task *task, struct json_object *result, struct error *err);
    const struct operation *operation;
    bool without_instance; /* params.instance is to be made, or need not be there */
    bool while_closed;     /* works on an instance that waits for recovery, too */
    bool builds;           /* makes what a late recovery of another one would undo */
};

const struct command *command_find(const char *method);

/* Fills result. While it is at an engine none of ours closes that one's gate to prove it. */
bool command_read(const struct command *command, struct task *task, struct json_object *result,
                  struct error *err);

/* All of what this program serves, NULL-ended: for methods that no single datastore answers. */
extern const struct datastore *const *command_stores;
const struct datastore *command_store(const char *datastore);

/* Reads. */
bool command_instance_list(struct task *task, struct json_object *result, struct error *err);
bool command_instance_show(struct task *task, struct json_object *result, struct error *err);
bool command_instance_log(struct task *task, struct json_object *result, struct error *err);
bool command_check_upgrade(struct task *task, struct json_object *result, struct error *err);
bool command_version_list(struct task *task, struct json_object *result, struct error *err);
bool command_version_show(struct task *task, struct json_object *result, struct error *err);
bool command_database_list(struct task *task, struct json_object *result, struct error *err);
bool command_database_show(struct task *task, struct json_object *result, struct error *err);
bool command_user_list(struct task *task, struct json_object *result, struct error *err);
bool command_user_show(struct task *task, struct json_object *result, struct error *err);
bool command_root_status(struct task *task, struct json_object *result, struct error *err);
bool command_backup_list(struct task *task, struct json_object *result, struct error *err);
bool command_backup_show(struct task *task, struct json_object *result, struct error *err);

/* Changes. */
extern const struct operation create_operation, start_operation, stop_operation, restart_operation,
    configure_operation, delete_operation, upgrade_operation, release_operation, recover_operation,
    pull_operation, remove_operation, prune_operation, bundle_operation, catalog_operation,
    backup_create_operation, backup_verify_operation, backup_restore_operation,
    backup_delete_operation;

/* What several of them share. */

/* Fails with unsupported when the datastore lacks what the method needs. */
bool command_check_support(struct task *task, const char *method, struct error *err);
/* Starts it as configured, and keeps how long that took for later predictions. */
bool command_start_engine(struct task *task, struct error *err);
/* Waits for the stop after the signal; past it neither cancel nor deadline end the waiting. */
enum stop_mode {
    STOP_CLEAN,
    STOP_THOROUGH, /* clean, and nothing left for the next start to do: its data will be migrated */
    STOP_IMMEDIATE,
};
bool command_stop_engine(struct task *task, enum stop_mode mode, struct error *err);
/* The row of an instance, as instance.show gives it; what fails to be found is left out. */
void command_fill_instance(struct task *task, struct json_object *row, bool all);
/* Facts before and after must agree as the datastore says; counts them into proved. */
/* What `describe` prints; the exit status. */
int command_describe(void);
/* Carries out the job in a folder again, in this process: recover. */
bool worker_recover_folder(const char *folder, struct error *err);

#endif
