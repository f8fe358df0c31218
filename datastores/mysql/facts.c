#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "flavour.h"
#include "json.h"
#include "memory.h"
#include "my.h"
#include "text.h"

/* A table that counts its rows up and has not come far is counted again: its size is certain. */
#define SMALL_ROWS "10000"
#define SMALL_TABLES "20"

#define OF_TENANTS "NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"

static const char databases_sql[] =
    "SELECT SCHEMA_NAME, CONCAT(DEFAULT_CHARACTER_SET_NAME, ' ', DEFAULT_COLLATION_NAME) FROM "
    "information_schema.SCHEMATA WHERE SCHEMA_NAME " OF_TENANTS;

static const char objects_sql[] =
    "SELECT CONCAT('table ', TABLE_SCHEMA, '.', TABLE_NAME), CONCAT_WS(' ', TABLE_TYPE, ENGINE) "
    "FROM "
    "information_schema.TABLES WHERE TABLE_SCHEMA " OF_TENANTS " UNION ALL "
    "SELECT CONCAT('index ', TABLE_SCHEMA, '.', TABLE_NAME, '.', INDEX_NAME), "
    "CONCAT(IF(NON_UNIQUE, "
    "'', 'unique '), GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX)) FROM "
    "information_schema.STATISTICS WHERE TABLE_SCHEMA " OF_TENANTS
    " GROUP BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, NON_UNIQUE UNION ALL "
    "SELECT CONCAT(LOWER(ROUTINE_TYPE), ' ', ROUTINE_SCHEMA, '.', ROUTINE_NAME), LEFT(SHA2(CONCAT("
    "DEFINER, COALESCE(ROUTINE_DEFINITION, '')), 256), 16) FROM information_schema.ROUTINES WHERE "
    "ROUTINE_SCHEMA " OF_TENANTS " UNION ALL "
    "SELECT CONCAT('trigger ', TRIGGER_SCHEMA, '.', TRIGGER_NAME), CONCAT(ACTION_TIMING, ' ', "
    "EVENT_MANIPULATION, ' ', EVENT_OBJECT_TABLE) FROM information_schema.TRIGGERS WHERE "
    "TRIGGER_SCHEMA " OF_TENANTS " UNION ALL "
    "SELECT CONCAT('event ', EVENT_SCHEMA, '.', EVENT_NAME), DEFINER FROM "
    "information_schema.EVENTS "
    "WHERE EVENT_SCHEMA " OF_TENANTS;

static const char small_sql[] =
    "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA " OF_TENANTS
    " AND ENGINE = 'InnoDB' AND AUTO_INCREMENT <= " SMALL_ROWS
    " ORDER BY BINARY TABLE_SCHEMA, BINARY TABLE_NAME LIMIT " SMALL_TABLES;

static const char grants_sql[] =
    "SELECT CONCAT(user, '@', host), CONCAT(COUNT(*), ' ', LEFT(SHA2(GROUP_CONCAT(line ORDER BY "
    "BINARY "
    "line), 256), 16)) FROM (SELECT '' AS user, '' AS host, '' AS line UNION ALL SELECT User, "
    "Host, "
    "CONCAT_WS('|', 'db', Db, Select_priv, Insert_priv, Update_priv, Delete_priv, Create_priv, "
    "Drop_priv, Grant_priv, References_priv, Index_priv, Alter_priv, Create_tmp_table_priv, "
    "Lock_tables_priv, Create_view_priv, Show_view_priv, Create_routine_priv, Alter_routine_priv, "
    "Execute_priv, Event_priv, Trigger_priv) FROM mysql.db UNION ALL SELECT User, Host, "
    "CONCAT_WS('|', "
    "'table', Db, Table_name, Table_priv, Column_priv) FROM mysql.tables_priv UNION ALL SELECT "
    "User, "
    "Host, CONCAT_WS('|', 'column', Db, Table_name, Column_name, Column_priv) FROM "
    "mysql.columns_priv UNION ALL SELECT User, Host, CONCAT_WS('|', 'routine', Db, Routine_name, "
    "Routine_type, Proc_priv) FROM mysql.procs_priv UNION ALL %s) AS l WHERE user <> '' AND "
    "user "
    "<> 'mariadb.sys' AND user NOT LIKE 'mysql.%%' GROUP BY user, host";

/* Adds an object of the rows' first column: second column. */
static bool add_pairs(struct connection *db, struct json_object *facts, const char *kind,
                      const char *sql, struct error *err)
{
    struct json_object *pairs = json_add_object(facts, kind);
    autoptr(rows) rows = my_query(db, err, "%s", sql);

    if (rows == NULL)
        return error_prefix(err, "cannot list the %s", kind);
    for (char **row = my_next(rows); row != NULL; row = my_next(rows))
        json_add_string(pairs, row[0], row[1]);
    return true;
}

static bool add_rows(struct connection *db, struct json_object *facts, struct error *err)
{
    struct json_object *counts = json_add_object(facts, "rows");
    autoptr(rows) rows = my_query(db, err, "%s", small_sql);

    if (rows == NULL)
        return false;
    for (char **row = my_next(rows); row != NULL; row = my_next(rows)) {
        autofree char *name = xasprintf("%s.%s", row[0], row[1]);
        int64_t count = my_number(db, err, "SELECT COUNT(*) FROM %I.%I", row[0], row[1]);
        if (count < 0)
            return error_prefix(err, "cannot count the rows of '%s'", name);
        json_add_int(counts, name, count);
    }
    return true;
}

static bool add_settings(struct task *task, struct connection *db, struct json_object *facts,
                         struct error *err)
{
    struct json_object *settings = json_add_object(facts, "settings");
    autoptr(json_object) chosen = my_settings(task, err);
    autoptr(rows) rows = chosen == NULL ? NULL : my_query(db, err, "SHOW GLOBAL VARIABLES");

    if (rows == NULL)
        return false;
    for (char **row = my_next(rows); row != NULL; row = my_next(rows))
        /* The gate has the events, and is closed at one time and open at another. */
        if (json_get(chosen, row[0]) != NULL && strcmp(row[0], "event_scheduler") != 0)
            json_add_string(settings, row[0], row[1]);
    return true;
}

char *my_position(struct task *task, struct connection *db, struct error *err)
{
    if (my_flavour(task) == &flavour_mariadb) {
        autofree char *gtid = my_value(db, err, "SELECT IF(@@log_bin, @@gtid_binlog_pos, '')");
        if (gtid == NULL || gtid[0] != '\0')
            return steal(gtid);
    }

    autoptr(rows) rows = my_query(db, err, "SHOW GLOBAL STATUS LIKE %L", my_flavour(task)->lsn);
    if (rows == NULL)
        return NULL;
    char **row = my_next(rows);
    return xstrdup(row == NULL ? "0" : row[1]);
}

bool mysql_facts(struct task *task, struct json_object *facts, struct error *err)
{
    autoptr(connection) db = my_connect(task, err);
    if (db == NULL)
        return false;

    const struct flavour *flavour = my_flavour(task);
    autofree char *grants = my_format(db, grants_sql, flavour->global_grants);
    if (!add_pairs(db, facts, "databases", databases_sql, err) ||
        !add_pairs(db, facts, "users", flavour->account_facts, err) ||
        !add_pairs(db, facts, "grants", grants, err) ||
        !add_pairs(db, facts, "objects", objects_sql, err) || !add_rows(db, facts, err) ||
        !add_settings(task, db, facts, err))
        return false;

    autofree char *version = my_value(db, err, "SELECT @@version");
    autofree char *position = version == NULL ? NULL : my_position(task, db, err);
    if (position == NULL)
        return false;
    json_add_string(facts, "version", version);
    json_add_string(facts, "position", position);
    return true;
}

/* The sequence number that a GTID position has for a domain and server ("0-1-"); 0 when none. */
static unsigned long long sequence_of(const char *position, const char *origin, size_t length)
{
    for (const char *one = position; one != NULL; one = strchr(one, ',')) {
        one += strspn(one, ", ");
        if (strncmp(one, origin, length) == 0)
            return strtoull(one + length, NULL, 10);
    }
    return 0;
}

static bool gtid_follows(const char *before, const char *after)
{
    for (const char *one = before; one != NULL; one = strchr(one, ',')) {
        one += strspn(one, ", ");
        const char *last = one + strcspn(one, ",");
        while (last > one && last[-1] != '-')
            last--;
        if (sequence_of(after, one, (size_t)(last - one)) < strtoull(last, NULL, 10))
            return false;
    }
    return true;
}

bool mysql_position_follows(const char *before, const char *after)
{
    bool gtid_before = strchr(before, '-') != NULL;
    bool gtid_after = strchr(after, '-') != NULL;

    if (gtid_before && gtid_after)
        return gtid_follows(before, after);
    /* The binary log was switched on or off between: two scales, nothing to compare. */
    if (gtid_before != gtid_after)
        return true;
    return strtoull(before, NULL, 10) <= strtoull(after, NULL, 10);
}
