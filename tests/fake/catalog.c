/*
 * Databases are keys "d:NAME", users "u:NAME" with the value "HASH login|nologin db:access,...".
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "connection.h"
#include "error.h"
#include "fake.h"
#include "fake_net.h"
#include "json.h"
#include "memory.h"
#include "page.h"
#include "task.h"
#include "text.h"

static bool check_name(const char *name, struct error *err)
{
    for (const char *byte = name; *byte != '\0'; byte++)
        if (isspace((unsigned char)*byte) != 0)
            return error_set(err, ERROR_INVALID, "'%s' has white space in it", name);
    return true;
}

static char *find(struct connection *connection, const char *kind, const char *name,
                  struct error *err)
{
    return connection_ask(connection, err, "GET %s:%s", kind, name);
}

/* --- lists --- */

struct listing {
    struct page *page;
    void (*fill)(struct page *page, const char *value);
};

static void fill_database(struct page *page, const char *value)
{
    page_string(page, "owner", "fake");
    page_string(page, "encoding", value);
}

static void fill_user(struct page *page, const char *value)
{
    autofree char *copy = xstrdup(value + 17);
    char *rest = NULL;
    const char *login = strtok_r(copy, " ", &rest);

    page_bool(page, "login", login != NULL && strcmp(login, "login") == 0);
    page_object(page, "databases");
    for (char *grant; (grant = strtok_r(NULL, ",", &rest)) != NULL;) {
        char *access = strchr(grant, '=');

        if (access == NULL)
            continue;
        *access = '\0';
        page_pair(page, grant, access + 1);
    }
    page_end(page, '}');
}

static bool add_row(const char *name, const char *value, void *context)
{
    struct listing *listing = context;

    if (listing->page->marker != NULL && strcmp(name, listing->page->marker) <= 0)
        return true;
    if (!page_row(listing->page, name))
        return false;
    listing->fill(listing->page, value);
    page_end(listing->page, '}');
    return true;
}

static bool list(struct task *task, const char *prefix, struct listing *listing, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);

    return connection != NULL && connection_list(connection, prefix, add_row, listing, err);
}

bool fake_database_list(struct task *task, struct page *page, struct error *err)
{
    struct listing listing = { page, fill_database };

    return list(task, "d:", &listing, err);
}

bool fake_user_list(struct task *task, struct page *page, struct error *err)
{
    struct listing listing = { page, fill_user };

    return list(task, "u:", &listing, err);
}

static bool show(struct task *task, const char *kind, const char *name,
                 void (*fill)(struct page *page, const char *value), struct json_object *row,
                 struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);
    autofree char *value = connection == NULL ? NULL : find(connection, kind, name, err);
    autopage struct page page = { .limit = 1 };
    struct listing listing = { &page, fill };

    if (value == NULL)
        return false;
    if (value[0] == '\0')
        return error_set(err, ERROR_NOT_FOUND, "'%s' does not exist", name);
    return add_row(name, value, &listing) && page_only_row(&page, row, err);
}

bool fake_database_show(struct task *task, const char *name, struct json_object *row,
                        struct error *err)
{
    return show(task, "d", name, fill_database, row, err);
}

bool fake_user_show(struct task *task, const char *name, struct json_object *row, struct error *err)
{
    return show(task, "u", name, fill_user, row, err);
}

/* --- databases --- */

static bool create_database(struct connection *connection, const struct database *database,
                            struct error *err)
{
    autofree char *there =
        check_name(database->name, err) ? find(connection, "d", database->name, err) : NULL;

    if (there == NULL)
        return false;
    if (there[0] != '\0')
        return error_set(err, ERROR_EXISTS, "database '%s' exists", database->name);
    return connection_run(connection, err, "SET d:%s utf8", database->name);
}

bool fake_database_create(struct task *task, const struct database *databases, size_t count,
                          struct error *each, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);

    for (size_t i = 0; connection != NULL && i < count; i++)
        create_database(connection, &databases[i], &each[i]);
    return connection != NULL;
}

static bool drop(struct connection *connection, const char *kind, const char *name,
                 struct error *err)
{
    autofree char *there = check_name(name, err) ? find(connection, kind, name, err) : NULL;

    if (there == NULL)
        return false;
    if (there[0] == '\0')
        return error_set(err, ERROR_NOT_FOUND, "'%s' does not exist", name);
    return connection_run(connection, err, "DEL %s:%s", kind, name);
}

bool fake_database_drop(struct task *task, const struct database *databases, size_t count,
                        struct error *each, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);

    for (size_t i = 0; connection != NULL && i < count; i++)
        drop(connection, "d", databases[i].name, &each[i]);
    return connection != NULL;
}

/* --- users --- */

static char *grants_of(const struct user *user)
{
    static const char *const words[] = { "read", "write", "all" };
    autotext struct text text = { 0 };

    text_add(&text, "");
    for (const char *const *database = user->databases; *database != NULL; database++)
        text_printf(&text, "%s=%s,", *database, words[user->access]);
    return xstrdup(text.bytes);
}

static bool create_user(struct connection *connection, const struct user *user, struct error *err)
{
    autofree char *there =
        check_name(user->name, err) ? find(connection, "u", user->name, err) : NULL;
    autofree char *grants = grants_of(user);
    char hash[17];

    if (there == NULL)
        return false;
    if (there[0] != '\0')
        return error_set(err, ERROR_EXISTS, "user '%s' exists", user->name);
    net_hash(user->password, hash);
    return connection_run(connection, err, "SET u:%s %s login %s", user->name, hash, grants);
}

static bool drop_user(struct connection *connection, const struct user *user, struct error *err)
{
    return drop(connection, "u", user->name, err) &&
           connection_run(connection, err, "END %s", user->name);
}

/* Gives a user another hash, login or grants; NULL: as it was. */
static bool change_user(struct connection *connection, const char *name, const char *hash,
                        const char *login, const char *grants, struct error *err)
{
    autofree char *there = check_name(name, err) ? find(connection, "u", name, err) : NULL;
    char had_login[16] = "login";
    char had_grants[1024] = "";

    if (there == NULL)
        return false;
    if (there[0] == '\0')
        return error_set(err, ERROR_NOT_FOUND, "user '%s' does not exist", name);
    sscanf(there + 17, "%15s %1023s", had_login, had_grants);
    there[16] = '\0';
    return connection_run(connection, err, "SET u:%s %s %s %s", name, hash == NULL ? there : hash,
                          login == NULL ? had_login : login, grants == NULL ? had_grants : grants);
}

static bool grant_user(struct connection *connection, const struct user *user, struct error *err)
{
    autofree char *grants = grants_of(user);

    return change_user(connection, user->name, NULL, NULL, grants, err);
}

static bool revoke_user(struct connection *connection, const struct user *user, struct error *err)
{
    return change_user(connection, user->name, NULL, NULL, "", err);
}

static bool set_password(struct connection *connection, const struct user *user, struct error *err)
{
    char hash[17];

    net_hash(user->password, hash);
    return change_user(connection, user->name, hash, NULL, NULL, err);
}

typedef bool one_function(struct connection *connection, const struct user *user,
                          struct error *err);

static bool for_each(struct task *task, one_function *function, const struct user *users,
                     size_t count, struct error *each, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);

    for (size_t i = 0; connection != NULL && i < count; i++)
        function(connection, &users[i], &each[i]);
    return connection != NULL;
}

#define FOR_EACH(name, function)                                                                   \
    bool name(struct task *task, const struct user *users, size_t count, struct error *each,       \
              struct error *err)                                                                   \
    {                                                                                              \
        return for_each(task, function, users, count, each, err);                                  \
    }

FOR_EACH(fake_user_create, create_user)
FOR_EACH(fake_user_drop, drop_user)
FOR_EACH(fake_user_grant, grant_user)
FOR_EACH(fake_user_revoke, revoke_user)
FOR_EACH(fake_user_set_password, set_password)

/* Two writes, which a kill may part: the new name first, so that nobody is ever lost. */
bool fake_user_rename(struct task *task, const struct user *user, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);
    autofree char *old = connection == NULL ? NULL : find(connection, "u", user->name, err);
    autofree char *new = old == NULL ? NULL : find(connection, "u", user->new_name, err);

    if (new == NULL || !check_name(user->new_name, err))
        return false;
    if (old[0] == '\0')
        return error_set(err, ERROR_NOT_FOUND, "user '%s' does not exist", user->name);
    if (new[0] != '\0')
        return error_set(err, ERROR_EXISTS, "user '%s' exists", user->new_name);
    return connection_run(connection, err, "SET u:%s %s", user->new_name, old) &&
           connection_run(connection, err, "DEL u:%s", user->name);
}

/* --- root --- */

bool fake_root_enable(struct task *task, const char *password, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);
    char hash[17];

    net_hash(password, hash);
    return connection != NULL && connection_run(connection, err, "SET u:root %s login ", hash);
}

bool fake_root_disable(struct task *task, struct json_object *left_behind, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);
    autofree char *there = connection == NULL ? NULL : find(connection, "u", "root", err);

    (void)left_behind;
    if (there == NULL)
        return false;
    return (there[0] == '\0' || change_user(connection, "root", NULL, "nologin", NULL, err)) &&
           connection_run(connection, err, "END root");
}

bool fake_root_status(struct task *task, struct json_object *row, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);
    autofree char *there = connection == NULL ? NULL : find(connection, "u", "root", err);

    if (there == NULL)
        return false;
    json_add_bool(row, "enabled", there[0] != '\0' && text_starts(there + 17, "login"));
    json_add_string(row, "privileges", "all");
    return true;
}
