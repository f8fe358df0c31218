#include "flavour.h"

#include <string.h>

#include "cleanup.h"
#include "datastore.h"
#include "hash.h"
#include "task.h"
#include "text.h"

/*
 * MariaDB cannot take single databases out of a global grant, so the grants are by pattern, where
 * the longest match alone decides: the rows for mysql, sys and performance_schema hide '%'. So does
 * the one for '#mysql50#%', the server's other spelling of any database's name, by which a grant on
 * '%' would lead into mysql.*. No GRANT OPTION: who may grant '%' may grant 'mysq_'. No CREATE
 * USER: it includes giving root@localhost a password. No SET USER, BINLOG REPLAY, REPLICATION SLAVE
 * ADMIN, FEDERATED ADMIN: each acts as somebody else.
 */
static const char *const mariadb_root_grants[] = {
    "GRANT SHOW VIEW ON `mysql`.* TO 'root'@'%'",
    "GRANT SHOW VIEW ON `#mysql50#%`.* TO 'root'@'%'",
    "GRANT SELECT, EXECUTE, SHOW VIEW ON `sys`.* TO 'root'@'%'",
    "GRANT SELECT ON `performance\\_schema`.* TO 'root'@'%'",
    "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE "
    "TEMPORARY "
    "TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EVENT, "
    "TRIGGER, DELETE HISTORY ON `%`.* TO 'root'@'%'",
    "GRANT PROCESS, RELOAD, SHOW DATABASES, REPLICATION SLAVE, BINLOG MONITOR, SLAVE MONITOR ON "
    "*.* "
    "TO 'root'@'%'",
    NULL,
};

/* Accounts of ours have SYSTEM_USER, which keeps CREATE USER away from them. */
static const char *const mysql_root_grants[] = {
    "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, "
    "ALTER, "
    "SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION "
    "CLIENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER, "
    "CREATE ROLE, DROP ROLE, XA_RECOVER_ADMIN, SHOW_ROUTINE ON *.* TO 'root'@'%' WITH GRANT OPTION",
    "REVOKE INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY "
    "TABLES, "
    "LOCK TABLES, EXECUTE, CREATE VIEW, CREATE ROUTINE, ALTER ROUTINE, EVENT, TRIGGER ON mysql.* "
    "FROM 'root'@'%'",
    "REVOKE INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY "
    "TABLES, "
    "LOCK TABLES, CREATE VIEW, CREATE ROUTINE, ALTER ROUTINE, EVENT, TRIGGER ON sys.* FROM "
    "'root'@'%'",
    NULL,
};

static const char *const mariadb_servers[] = { "usr/sbin/mariadbd", "usr/bin/mariadbd",
                                               "usr/libexec/mariadbd", "usr/sbin/mysqld", NULL };
static const char *const mysql_servers[] = { "usr/sbin/mysqld", "usr/bin/mysqld",
                                             "usr/libexec/mysqld", NULL };

/* What writes by itself stops as well (C19). */
static const char *const mariadb_close[] = {
    "SET GLOBAL init_connect = 'SIGNAL SQLSTATE ''45000'' SET MESSAGE_TEXT=''closed'''",
    "SET GLOBAL event_scheduler = OFF",
    "STOP ALL SLAVES",
    NULL,
};
static const char *const mariadb_open[] = { "SET GLOBAL init_connect = ''", NULL };
static const char *const mysql_close[] = {
    "SET GLOBAL offline_mode = ON",
    "SET GLOBAL event_scheduler = OFF",
    "STOP REPLICA",
    NULL,
};
static const char *const mysql_open[] = { "SET GLOBAL offline_mode = OFF", NULL };

/* A tenant's root never comes from "localhost": over the socket that is root@localhost, ours. */
#define NOT_THE_AGENT                                                                              \
    "SELECT ID, USER, HOST, COMMAND FROM information_schema.PROCESSLIST WHERE NOT (USER = 'root' " \
    "AND HOST = 'localhost') AND USER NOT IN ('system user', 'event_scheduler')"

#define SESSION                                                                                    \
    "SESSION lock_wait_timeout = 30, SESSION wait_timeout = 86400, SESSION group_concat_max_len "  \
    "= "                                                                                           \
    "1048576, "

const struct flavour flavour_mariadb = {
    .name = "mariadb",
    .word = "MariaDB",
    .servers = mariadb_servers,
    .user_name_characters = 80,
    .grants_by_pattern = true,
    .revoke = "REVOKE",
    .session = SESSION "SESSION max_statement_time = 0, SESSION sql_mode = "
                       "'STRICT_ALL_TABLES,NO_AUTO_CREATE_USER'",
    .own_settings = "symbolic-links=0\nloose-feedback=OFF\n",
    .event_scheduler = "OFF",
    /* Clients get this at their first statement, whatever it is; then they are disconnected. */
    .closed_settings = "init_connect=\"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT='closed'\"\n"
                       "event_scheduler=OFF\nskip_slave_start=ON\n",
    .close_gate = mariadb_close,
    .open_gate = mariadb_open,
    .is_closed = "SELECT COALESCE(@@GLOBAL.init_connect LIKE '%closed%', 0)",
    .sessions = NOT_THE_AGENT,
    .accounts =
        /* Roles have no host. */
    "(SELECT User AS user, COALESCE(JSON_VALUE(Priv, '$.account_locked') IN ('1', 'true'), 0) "
    "AS locked, JSON_VALUE(Priv, '$.authentication_string') AS secret FROM mysql.global_priv "
    "WHERE Host = '%')",
    .account_facts = "SELECT CONCAT(User, '@', Host), LEFT(SHA2(CONCAT_WS('|', JSON_VALUE(Priv, "
                     "'$.plugin'), JSON_VALUE(Priv, '$.authentication_string'), JSON_VALUE(Priv, "
                     "'$.account_locked'), JSON_VALUE(Priv, '$.is_role'), JSON_EXTRACT(Priv, "
                     "'$.auth_or')), 256), 16) FROM mysql.global_priv WHERE User <> 'mariadb.sys'",
    .global_grants =
        "SELECT User, Host, CONCAT('global|', COALESCE(JSON_VALUE(Priv, '$.access'), '')) FROM "
        "mysql.global_priv UNION ALL SELECT User, Host, CONCAT('role|', Role, Admin_option) FROM "
        "mysql.roles_mapping",
    .lsn = "Innodb_lsn_current",
    .identified = "IDENTIFIED VIA mysql_native_password USING",
    .hash = hash_native,
    .root_grants = mariadb_root_grants,
    .root_privileges =
        "everything in all databases but mysql, creating and dropping databases; not "
        "users, grants, files, settings or replication",
};

const struct flavour flavour_mysql = {
    .name = "mysql",
    .servers = mysql_servers,
    .user_name_characters = 32,
    /* Since 8.0.30; without it one privilege that is missing keeps all of them (error 1141). */
    .revoke = "REVOKE IF EXISTS",
    .session = SESSION "SESSION max_execution_time = 0, SESSION sql_mode = 'STRICT_ALL_TABLES'",
    .own_settings = "plugin_load_add=auth_socket.so\nmysqlx=OFF\npartial_revokes=ON\n"
                    "secure_file_priv=NULL\nlog_error_verbosity=2\n",
    .event_scheduler = "ON",
    .closed_settings = "offline_mode=ON\nevent_scheduler=OFF\nloose-skip_replica_start=ON\n",
    .close_gate = mysql_close,
    .open_gate = mysql_open,
    .is_closed = "SELECT @@GLOBAL.offline_mode",
    .sessions = NOT_THE_AGENT,
    .accounts = "(SELECT User AS user, account_locked = 'Y' AS locked, authentication_string AS "
                "secret FROM mysql.user WHERE Host = '%')",
    .account_facts = "SELECT CONCAT(User, '@', Host), LEFT(SHA2(CONCAT_WS('|', plugin, "
                     "authentication_string, account_locked), 256), 16) FROM mysql.user WHERE User "
                     "NOT LIKE 'mysql.%'",
    .global_grants =
        "SELECT User, Host, CONCAT_WS('|', 'global', Select_priv, Insert_priv, Update_priv, "
        "Delete_priv, Create_priv, Drop_priv, Reload_priv, Process_priv, File_priv, Grant_priv, "
        "Alter_priv, Super_priv, Create_user_priv, User_attributes) FROM mysql.user UNION ALL "
        "SELECT "
        "User, Host, CONCAT_WS('|', 'dynamic', Priv, With_grant_option) FROM mysql.global_grants "
        "UNION ALL SELECT To_user, To_host, CONCAT_WS('|', 'role', From_user, From_host, "
        "With_admin_option) FROM mysql.role_edges",
    .lsn = "Innodb_redo_log_current_lsn",
    .identified = "IDENTIFIED WITH caching_sha2_password AS",
    .hash = hash_caching_sha2,
    .root_grants = mysql_root_grants,
    .root_privileges = "everything but writing to mysql and sys, files, settings, replication and "
                       "the agent's account",
};

const struct flavour *my_flavour(const struct task *task)
{
    return strcmp(task->store->name, flavour_mysql.name) == 0 ? &flavour_mysql : &flavour_mariadb;
}

bool my_is_internal_database(const char *name)
{
    static const char *const internal[] = { "mysql", "sys", "information_schema",
                                            "performance_schema" };

    for (size_t i = 0; i < ARRAY_SIZE(internal); i++)
        if (strcasecmp(internal[i], name) == 0)
            return true;
    return text_starts(name, "#mysql50#");
}

bool my_is_internal_user(const char *name)
{
    static const char *const internal[] = { "root", "mysql", "mariadb.sys", "PUBLIC" };

    for (size_t i = 0; i < ARRAY_SIZE(internal); i++)
        if (strcasecmp(internal[i], name) == 0)
            return true;
    return text_starts(name, "mysql.") || text_starts(name, "dbguest");
}
