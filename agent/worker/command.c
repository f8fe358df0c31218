#include "command.h"

#include <stddef.h>
#include <string.h>

#include "cleanup.h"
#include "datastore.h"
#include "error.h"
#include "method.h"
#include "place.h"
#include "task.h"

static const struct command commands[] = {
    { .method = "instance.list", .read = command_instance_list, .without_instance = true },
    { .method = "instance.show", .read = command_instance_show, .while_closed = true },
    { .method = "instance.log", .read = command_instance_log, .while_closed = true },
    { .method = "instance.check_upgrade", .read = command_check_upgrade },
    { .method = "instance.create", .operation = &create_operation, .without_instance = true },
    { .method = "instance.start", .operation = &start_operation },
    { .method = "instance.stop", .operation = &stop_operation },
    { .method = "instance.restart", .operation = &restart_operation },
    { .method = "instance.configure", .operation = &configure_operation, .builds = true },
    { .method = "instance.delete", .operation = &delete_operation, .while_closed = true },
    { .method = "instance.upgrade", .operation = &upgrade_operation, .builds = true },
    { .method = "instance.release", .operation = &release_operation },
    { .method = "instance.recover", .operation = &recover_operation, .while_closed = true },
    { .method = "version.list", .read = command_version_list },
    { .method = "version.show", .read = command_version_show },
    { .method = "version.pull", .operation = &pull_operation },
    { .method = "version.bundle", .operation = &bundle_operation },
    { .method = "version.remove", .operation = &remove_operation },
    { .method = "version.prune", .operation = &prune_operation },
    { .method = "database.list", .read = command_database_list },
    { .method = "database.show", .read = command_database_show },
    { .method = "database.create", .operation = &catalog_operation },
    { .method = "database.drop", .operation = &catalog_operation },
    { .method = "user.list", .read = command_user_list },
    { .method = "user.show", .read = command_user_show },
    { .method = "user.create", .operation = &catalog_operation },
    { .method = "user.drop", .operation = &catalog_operation },
    { .method = "user.grant", .operation = &catalog_operation },
    { .method = "user.revoke", .operation = &catalog_operation },
    { .method = "user.set_password", .operation = &catalog_operation },
    { .method = "user.rename", .operation = &catalog_operation },
    { .method = "root.status", .read = command_root_status },
    { .method = "root.enable", .operation = &catalog_operation },
    { .method = "root.disable", .operation = &catalog_operation },
    { .method = "backup.list", .read = command_backup_list, .without_instance = true },
    { .method = "backup.show", .read = command_backup_show },
    { .method = "backup.create", .operation = &backup_create_operation },
    { .method = "backup.verify", .operation = &backup_verify_operation },
    { .method = "backup.restore",
      .operation = &backup_restore_operation,
      .without_instance = true },
    { .method = "backup.delete", .operation = &backup_delete_operation },
    { 0 },
};

const struct datastore *const *command_stores;

const struct command *command_find(const char *method)
{
    for (const struct command *command = commands; command->method != NULL; command++)
        if (method != NULL && strcmp(command->method, method) == 0)
            return command;
    return NULL;
}

/* show and log look for themselves. */
bool command_read(const struct command *command, struct task *task, struct json_object *result,
                  struct error *err)
{
    bool looks = task->engine != NULL && !command->while_closed;
    autoclose int look = looks ? place_look(task->engine, err) : -1;

    return (!looks || look >= 0) && command->read(task, result, err);
}

const struct datastore *command_store(const char *datastore)
{
    for (size_t i = 0; datastore != NULL && command_stores[i] != NULL; i++)
        if (strcmp(command_stores[i]->name, datastore) == 0)
            return command_stores[i];
    return NULL;
}

bool command_check_support(struct task *task, const char *method, struct error *err)
{
    const struct method *row = method_find(method);

    if (row == NULL)
        return error_set(err, ERROR_UNSUPPORTED, "there is no method '%s'", method);
    if (row->needs == 0 || task->store == NULL)
        return true;

    /* Each member of the table that a method may need is a pointer to a function. */
    void *member = NULL;
    memcpy(&member, (const char *)task->store + row->needs, sizeof(member));
    if (member == NULL)
        return error_set(err, ERROR_UNSUPPORTED, "%s cannot do %s", task->store->name, method);
    return true;
}
