#include <string.h>

#include "error.h"
#include "flavour.h"
#include "json.h"
#include "memory.h"
#include "my.h"

/* -1: there is none; otherwise whether it is locked. */
static int root_locked(struct task *task, struct connection *db, struct error *err)
{
    autofree char *locked = my_value(db, err, "SELECT a.locked FROM %s AS a WHERE a.user = 'root'",
                                     my_flavour(task)->accounts);

    return locked == NULL || locked[0] == '\0' ? -1 : strcmp(locked, "0") != 0;
}

/* Locked until it has exactly what it may have. */
bool mysql_root_enable(struct task *task, const char *password, struct error *err)
{
    const struct flavour *flavour = my_flavour(task);
    autoptr(connection) db = my_connect_for_change(task, err);
    autofree char *hash = flavour->hash(password);

    if (db == NULL || !my_run(db, err, "CREATE USER IF NOT EXISTS 'root'@'%%' %s %L ACCOUNT LOCK",
                              flavour->identified, hash))
        return false;
    for (const char *const *grant = flavour->root_grants; *grant != NULL; grant++)
        if (!my_run(db, err, "%s", *grant))
            return error_prefix(err, "cannot give root its privileges");
    return my_run(db, err, "ALTER USER 'root'@'%%' %s %L ACCOUNT UNLOCK", flavour->identified,
                  hash);
}

/* What of its making goes on with its rights, and who else may make users. */
static bool list_left_behind(struct connection *db, struct json_object *left_behind,
                             struct error *err)
{
    static const char sql[] =
        "SELECT CONCAT('event ''', EVENT_SCHEMA, '.', EVENT_NAME, ''' goes on with root''s "
        "rights') FROM "
        "information_schema.EVENTS WHERE DEFINER = 'root@%' UNION ALL "
        "SELECT CONCAT('trigger ''', TRIGGER_SCHEMA, '.', TRIGGER_NAME, ''' runs with root''s "
        "rights') "
        "FROM information_schema.TRIGGERS WHERE DEFINER = 'root@%' UNION ALL "
        "SELECT CONCAT(LOWER(ROUTINE_TYPE), ' ''', ROUTINE_SCHEMA, '.', ROUTINE_NAME, ''' runs "
        "with "
        "root''s rights') FROM information_schema.ROUTINES WHERE DEFINER = 'root@%' AND "
        "SECURITY_TYPE "
        "= 'DEFINER' UNION ALL "
        "SELECT CONCAT('view ''', TABLE_SCHEMA, '.', TABLE_NAME, ''' shows what root may see') "
        "FROM "
        "information_schema.VIEWS WHERE DEFINER = 'root@%' AND SECURITY_TYPE = 'DEFINER' UNION ALL "
        "SELECT CONCAT('account ''', User, '''@''', Host, ''' may make users or grant') FROM "
        "mysql.user WHERE (Create_user_priv = 'Y' OR Grant_priv = 'Y') AND User <> 'root' AND User "
        "NOT LIKE 'mysql.%' UNION ALL "
        "SELECT CONCAT('account ''', User, '''@''', Host, ''' is outside of user.list') FROM "
        "mysql.user WHERE Host NOT IN ('', '%', 'localhost')";
    autoptr(rows) rows = my_query(db, err, "%s", sql);

    if (rows == NULL)
        return error_prefix(err, "root is disabled; cannot list what it left behind");
    for (char **row = my_next(rows); row != NULL; row = my_next(rows))
        json_object_array_add(left_behind, json_object_new_string(row[0]));
    return true;
}

bool mysql_root_disable(struct task *task, struct json_object *left_behind, struct error *err)
{
    static const char sessions[] =
        "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'root' AND HOST <> 'localhost'";
    autoptr(connection) db = my_connect_for_change(task, err);
    struct error none = { 0 };

    if (db == NULL)
        return false;
    if (root_locked(task, db, &none) < 0) {
        error_move(err, &none);
        return err->reason == ERROR_NONE;
    }
    return my_run(db, err, "ALTER USER 'root'@'%%' ACCOUNT LOCK") &&
           my_end_sessions(task, db, sessions, NULL, err) && list_left_behind(db, left_behind, err);
}

bool mysql_root_status(struct task *task, struct json_object *row, struct error *err)
{
    autoptr(connection) db = my_connect(task, err);
    struct error failed = { 0 };
    int locked = db == NULL ? -1 : root_locked(task, db, &failed);

    if (db == NULL)
        return false;
    if (failed.reason != ERROR_NONE) {
        error_move(err, &failed);
        return false;
    }
    json_add_bool(row, "enabled", locked == 0);
    json_add_string(row, "privileges", my_flavour(task)->root_privileges);
    return true;
}
