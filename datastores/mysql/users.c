#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "flavour.h"
#include "hash.h"
#include "json.h"
#include "memory.h"
#include "my.h"
#include "text.h"

/* The accounts of tenants that there are, as keys. */
static struct json_object *existing_users(struct task *task, struct connection *db,
                                          struct error *err)
{
    autoptr(rows) rows =
        my_query(db, err, "SELECT a.user FROM %s AS a", my_flavour(task)->accounts);
    if (rows == NULL)
        return NULL;

    struct json_object *users = json_object_new_object();
    for (char **row = my_next(rows); row != NULL; row = my_next(rows))
        json_add_bool(users, row[0], true);
    return users;
}

static bool check_user_name(const struct task *task, const char *name, struct error *err)
{
    size_t characters = 0;

    if (name[0] == '\0' || my_is_internal_user(name))
        return error_set(err, ERROR_INVALID, "'%s' cannot be the name of a user", name);
    for (const char *c = name; *c != '\0'; c++) {
        characters += ((unsigned char)*c & 0xc0) != 0x80;
        if ((unsigned char)*c >= 0xf0)
            return error_set(err, ERROR_INVALID,
                             "the engine's names have no characters beyond U+FFFF");
    }
    if (characters > my_flavour(task)->user_name_characters)
        return error_set(err, ERROR_INVALID, "a user's name has at most %zu characters",
                         my_flavour(task)->user_name_characters);
    return true;
}

/* Many users to be changed by one call. */
struct batch {
    struct task *task;
    struct connection *db;
    const struct user *users;
    size_t count;
    struct error *each;
};

/* A change of many accounts that is one statement. */
struct change {
    const char *head; /* "CREATE USER " */
    bool wants_new;   /* the accounts must not be there yet; otherwise they must */
    bool with_password;
    bool with_databases; /* which must exist */
};

static bool check_existence(const struct change *change, struct json_object *existing,
                            const char *name, struct error *err)
{
    bool exists = json_get(existing, name) != NULL;

    if (exists && change->wants_new)
        return error_set(err, ERROR_EXISTS, "user '%s' exists already", name);
    if (!exists && !change->wants_new)
        return error_set(err, ERROR_NOT_FOUND, "user '%s' does not exist", name);
    /* A new name that is asked for twice is wrong the second time. */
    json_add_bool(existing, name, true);
    return true;
}

/* What can be known beforehand. */
static bool check_all(const struct batch *batch, const struct change *change, struct error *err)
{
    autoptr(json_object) existing = existing_users(batch->task, batch->db, err);
    autoptr(json_object) databases = existing == NULL ? NULL : my_databases(batch->db, err);

    if (databases == NULL)
        return false;
    for (size_t i = 0; i < batch->count; i++) {
        const struct user *user = &batch->users[i];
        struct error *why = &batch->each[i];
        if (check_user_name(batch->task, user->name, why) &&
            (!change->with_databases || my_check_databases(databases, user, why)))
            check_existence(change, existing, user->name, why);
    }
    return true;
}

static void add_account(struct text *sql, const struct batch *batch, const struct change *change,
                        const char *name, const char *hash)
{
    autofree char *account = my_format(batch->db, "%A", name);

    text_add(sql, sql->length == 0 ? change->head : ", ");
    text_add(sql, account);
    if (hash != NULL)
        text_printf(sql, " %s '%s'", my_flavour(batch->task)->identified, hash);
}

static char **make_hashes(const struct batch *batch, const struct change *change)
{
    autofree const char **passwords = xcalloc(batch->count + 1, sizeof(*passwords));

    for (size_t i = 0; i < batch->count; i++)
        if (change->with_password && batch->each[i].reason == ERROR_NONE)
            passwords[i] = batch->users[i].password;
    return hash_all(my_flavour(batch->task)->hash, passwords, batch->count);
}

/* The statement for all that nothing is wrong with; empty when there is none. */
static void add_statement(struct text *sql, const struct batch *batch, const struct change *change)
{
    char **hashes = make_hashes(batch, change);

    for (size_t i = 0; i < batch->count; i++)
        if (batch->each[i].reason == ERROR_NONE)
            add_account(sql, batch, change, batch->users[i].name, hashes[i]);
    hash_free_all(hashes, batch->count);
}

/* Who was done by a statement that failed: what there is now tells, but not of passwords. */
static bool tell_failed(const struct batch *batch, const struct change *change,
                        const struct error *failed, struct error *err)
{
    autoptr(json_object) existing = existing_users(batch->task, batch->db, err);
    bool tells = change->wants_new || !change->with_password;

    for (size_t i = 0; existing != NULL && i < batch->count; i++) {
        const char *name = batch->users[i].name;
        bool done = tells && (json_get(existing, name) != NULL) == change->wants_new;
        if (batch->each[i].reason == ERROR_NONE && !done)
            error_set(&batch->each[i], failed->reason, "'%s': %s", name, failed->message);
    }
    return existing != NULL;
}

/* One statement for all, which is not atomic. False when nobody knows what became of it. */
static bool run_change(const struct batch *batch, const struct change *change, struct error *err)
{
    autotext struct text sql = { 0 };
    struct error failed = { 0 };

    add_statement(&sql, batch, change);
    if (sql.length == 0 || my_run_sql(batch->db, sql.bytes, sql.length, &failed))
        return true;

    bool told = tell_failed(batch, change, &failed, err);
    error_clear(&failed);
    return told;
}

static bool end_sessions_of(const struct batch *batch, struct error *err)
{
    autotext struct text sql = { 0 };

    text_add(&sql,
             "SELECT ID FROM information_schema.PROCESSLIST WHERE NOT (USER = 'root' AND HOST "
             "= 'localhost') AND BINARY USER IN (''");
    for (size_t i = 0; i < batch->count; i++) {
        autofree char *name = my_format(batch->db, ", %L", batch->users[i].name);
        if (batch->each[i].reason == ERROR_NONE)
            text_add(&sql, name);
    }
    text_add(&sql, ")");
    return my_end_sessions(batch->task, batch->db, sql.bytes, NULL, err);
}

/* A user who did not get his databases is not left behind half made. */
static void drop_half_made(const struct batch *batch, const bool *made)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct error ignored = { 0 };
        if (made[i] && batch->each[i].reason != ERROR_NONE)
            my_run(batch->db, &ignored, "DROP USER IF EXISTS %A", batch->users[i].name);
        error_clear(&ignored);
    }
}

bool mysql_user_create(struct task *task, const struct user *users, size_t count,
                       struct error *each, struct error *err)
{
    static const struct change change = { "CREATE USER ", true, true, true };
    autoptr(connection) db = my_connect_for_change(task, err);
    const struct batch batch = { task, db, users, count, each };
    autofree bool *made = xcalloc(count, sizeof(*made));

    if (db == NULL || !check_all(&batch, &change, err) || !run_change(&batch, &change, err))
        return false;
    for (size_t i = 0; i < count; i++)
        made[i] = each[i].reason == ERROR_NONE;
    my_grant_all(db, users, count, true, each);
    drop_half_made(&batch, made);
    return true;
}

bool mysql_user_drop(struct task *task, const struct user *users, size_t count, struct error *each,
                     struct error *err)
{
    static const struct change change = { "DROP USER ", false, false, false };
    autoptr(connection) db = my_connect_for_change(task, err);
    const struct batch batch = { task, db, users, count, each };

    /* The server lets sessions of a dropped user go on. */
    return db != NULL && check_all(&batch, &change, err) && run_change(&batch, &change, err) &&
           end_sessions_of(&batch, err);
}

bool mysql_user_set_password(struct task *task, const struct user *users, size_t count,
                             struct error *each, struct error *err)
{
    static const struct change change = { "ALTER USER ", false, true, false };
    autoptr(connection) db = my_connect_for_change(task, err);
    const struct batch batch = { task, db, users, count, each };

    return db != NULL && check_all(&batch, &change, err) && run_change(&batch, &change, err);
}

/* Of changes to databases: the users and what they name must be there. */
static bool check_named(const struct batch *batch, struct error *err)
{
    static const struct change change = { "", false, false, true };

    if (!check_all(batch, &change, err))
        return false;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->each[i].reason == ERROR_NONE && batch->users[i].databases[0] == NULL)
            error_set(&batch->each[i], ERROR_INVALID, "parameter 'databases' names none");
    return true;
}

bool mysql_user_grant(struct task *task, const struct user *users, size_t count, struct error *each,
                      struct error *err)
{
    autoptr(connection) db = my_connect_for_change(task, err);
    const struct batch batch = { task, db, users, count, each };

    if (db == NULL || !check_named(&batch, err))
        return false;
    my_grant_all(db, users, count, false, each);
    return true;
}

/* What is not granted is revoked already. */
static bool revoke_from(struct connection *db, const char *what, const char *user,
                        const char *database, struct error *err)
{
    struct error refused = { 0 };

    if (my_run(db, &refused, "REVOKE %s ON %P.* FROM %A", what, database, user))
        return true;
    if (my_errno(db) == MY_NO_SUCH_GRANT) {
        error_clear(&refused);
        return true;
    }
    error_move(err, &refused);
    return error_prefix(err, "cannot revoke '%s' from '%s'", database, user);
}

bool mysql_user_revoke(struct task *task, const struct user *users, size_t count,
                       struct error *each, struct error *err)
{
    autoptr(connection) db = my_connect_for_change(task, err);
    const struct batch batch = { task, db, users, count, each };

    if (db == NULL || !check_named(&batch, err))
        return false;
    for (size_t i = 0; i < count; i++)
        for (const char *const *name = users[i].databases;
             each[i].reason == ERROR_NONE && *name != NULL; name++)
            if (revoke_from(db, "GRANT OPTION", users[i].name, *name, &each[i]))
                revoke_from(db, "ALL PRIVILEGES", users[i].name, *name, &each[i]);
    return true;
}

bool mysql_user_rename(struct task *task, const struct user *user, struct error *err)
{
    autoptr(connection) db = my_connect_for_change(task, err);
    autoptr(json_object) existing = db == NULL ? NULL : existing_users(task, db, err);

    if (existing == NULL || !check_user_name(task, user->name, err) ||
        !check_user_name(task, user->new_name, err))
        return false;
    if (json_get(existing, user->name) == NULL)
        return error_set(err, ERROR_NOT_FOUND, "user '%s' does not exist", user->name);
    if (json_get(existing, user->new_name) != NULL)
        return error_set(err, ERROR_EXISTS, "user '%s' exists already", user->new_name);
    return my_run(db, err, "RENAME USER %A TO %A", user->name, user->new_name) ||
           error_prefix(err, "cannot rename user '%s'", user->name);
}
