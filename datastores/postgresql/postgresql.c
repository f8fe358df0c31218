#include "postgresql.h"

#include <stddef.h>

#include "worker.h"

static const char *const packages[] = { "postgresql", NULL };

static const char *const remarks[] = {
    "users are all or nothing; databases are not: CREATE DATABASE knows no transaction",
    "databases belong to the role 'dbguest', which nobody can log in as: no user can drop one",
    "a user who may write to a database acts there as the database's group: what one user makes "
    "all who may write can change; current_user is the group, session_user the user",
    "user.grant sets the access to what it says, less than before included; user.revoke takes all "
    "access to the databases named and ends the user's sessions there",
    "'root' has CREATEDB, CREATEROLE, pg_monitor and pg_signal_backend, never SUPERUSER",
    "on PostgreSQL 15 and older CREATEROLE reaches all roles but superusers: 'root' can make "
    "itself "
    "a member of pg_execute_server_program and so run programs as the server's user",
    "logical subscriptions and tablespaces stand in the way of an upgrade; a backup refuses "
    "tablespaces",
    NULL,
};

static const struct datastore postgresql = {
    .name = "postgresql",
    .user = "postgres",
    .packages = packages,
    .name_bytes = PG_NAME_BYTES,
    .atomic = true,
    .migration_cost = { .fixed_s = 2.6, .object_s = 0.0008 },
    .remarks = remarks,

    .probe = postgresql_probe,
    .edge = postgresql_edge,

    .configure = postgresql_configure,
    .initialize = postgresql_initialize,
    .check_settings = postgresql_check_settings,
    .start = postgresql_start,
    .settle = postgresql_settle,
    .gate = postgresql_gate,
    .strangers = postgresql_strangers,
    .evict = postgresql_evict,

    .migrate = postgresql_migrate,
    .note = postgresql_note,
    .adapt = postgresql_adapt,
    .polish = postgresql_polish,

    .status = postgresql_status,
    .reload = postgresql_reload,
    .facts = postgresql_facts,
    .facts_follow = postgresql_facts_follow,
    .position_follows = postgresql_position_follows,
    .check_upgrade = postgresql_check_upgrade,

    .database_list = postgresql_database_list,
    .database_show = postgresql_database_show,
    .database_create = postgresql_database_create,
    .database_drop = postgresql_database_drop,

    .user_list = postgresql_user_list,
    .user_show = postgresql_user_show,
    .user_create = postgresql_user_create,
    .user_drop = postgresql_user_drop,
    .user_grant = postgresql_user_grant,
    .user_revoke = postgresql_user_revoke,
    .user_set_password = postgresql_user_set_password,
    .user_rename = postgresql_user_rename,

    .root_enable = postgresql_root_enable,
    .root_disable = postgresql_root_disable,
    .root_status = postgresql_root_status,

    .backup_form = postgresql_backup_form,
    .backup = postgresql_backup,
    .restore = postgresql_restore,
};

int main(int argc, char **argv)
{
    static const struct datastore *const stores[] = { &postgresql, NULL };

    return worker_main(argc, argv, stores);
}
