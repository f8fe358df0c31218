/* The datastores mariadb and mysql: what they offer, and the program's main(). */
#include "datastore.h"
#include "my.h"
#include "worker.h"

static const char *const mariadb_packages[] = { "mariadb-server", "mariadb-backup", NULL };
static const char *const mysql_packages[] = { "mysql-server", NULL };

#define COMMON_REMARKS                                                                             \
    "access 'write' cannot drop tables or the database; 'all' can drop both",                      \
        "users log in from everywhere ('name'@'%') but not as root over the socket: that is the "  \
        "agent"

static const char *const mariadb_remarks[] = {
    COMMON_REMARKS,
    "root.enable gives all rights in all databases and creating databases, but neither users nor "
    "grants (user.* has those): on MariaDB both reach the agent's own account",
    "backups are physical (mariadb-backup); tables with DATA DIRECTORY are not possible",
    NULL,
};

static const char *const mysql_remarks[] = {
    COMMON_REMARKS,
    "root.enable gives all but writing to mysql.*, files, settings, replication and the agent's "
    "account",
    "backups are logical (mysqldump): consistent for InnoDB tables only, and refused by the engine "
    "while there is a view that has lost its table",
    "the binary log is off unless the setting log_bin is ON",
    NULL,
};

/* What both have in common, by the same names. */
#define COMMON_MEMBERS                                                                             \
    .user = "mysql", .one_socket = true, .configure = mysql_configure,                             \
    .initialize = mysql_initialize, .check_settings = mysql_check_settings, .start = mysql_start,  \
    .settle = mysql_settle, .unsettle = mysql_unsettle, .before_stop = mysql_before_stop,          \
    .gate = mysql_gate, .strangers = mysql_strangers, .evict = my_evict, .status = mysql_status,   \
    .reload = mysql_reload, .facts = mysql_facts, .position_follows = mysql_position_follows,      \
    .check_upgrade = mysql_check_upgrade, .probe = mysql_probe,                                    \
    .database_list = mysql_database_list, .database_show = mysql_database_show,                    \
    .database_create = mysql_database_create, .database_drop = mysql_database_drop,                \
    .user_list = mysql_user_list, .user_show = mysql_user_show, .user_create = mysql_user_create,  \
    .user_drop = mysql_user_drop, .user_grant = mysql_user_grant,                                  \
    .user_revoke = mysql_user_revoke, .user_set_password = mysql_user_set_password,                \
    .user_rename = mysql_user_rename, .root_enable = mysql_root_enable,                            \
    .root_disable = mysql_root_disable, .root_status = mysql_root_status

static const struct datastore mariadb = {
    COMMON_MEMBERS,
    .name = "mariadb",
    .packages = mariadb_packages,
    .name_bytes = 240,
    .remarks = mariadb_remarks,
    .edge = mariadb_edge,
    .adapt = mariadb_adapt,
    .migration_cost = { .fixed_s = 2.2, .object_s = 0.004 },
    .backup_form = mariadb_backup_form,
    .backup = mariadb_backup,
    .restore = mariadb_restore,
};

static const struct datastore mysql = {
    COMMON_MEMBERS,
    .name = "mysql",
    .packages = mysql_packages,
    .name_bytes = 192,
    .remarks = mysql_remarks,
    .edge = mysql_edge,
    .backup_form = mysql_backup_form,
    .backup = mysql_backup,
    .restore = mysql_restore,
};

int main(int argc, char **argv)
{
    static const struct datastore *const stores[] = { &mariadb, &mysql, NULL };

    return worker_main(argc, argv, stores);
}
