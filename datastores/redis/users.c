#include "users.h"

#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "engine.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "page.h"
#include "redis.h"
#include "rules.h"
#include "task.h"

/* What one call works with. */
struct batch {
    redisContext *db;
    struct acl *acl;
    redisReply *categories;
    struct words *commands; /* one for each user; empty: nothing to do */
    size_t count;
};

static void batch_done(struct batch *batch)
{
    if (batch->db != NULL)
        redisFree(batch->db);
    if (batch->categories != NULL)
        freeReplyObject(batch->categories);
    acl_free(batch->acl);
    for (size_t i = 0; i < batch->count; i++)
        words_done(&batch->commands[i]);
    free(batch->commands);
}
#define autobatch __attribute__((cleanup(batch_done)))

static bool batch_open(struct batch *batch, struct task *task, size_t count, struct error *err)
{
    batch->count = count;
    batch->commands = xcalloc(count, sizeof(*batch->commands));
    batch->db = connection_open(task, err);
    if (batch->db != NULL)
        batch->acl = acl_read(task->engine, batch->db, err);
    if (batch->acl != NULL)
        batch->categories = ASK(batch->db, err, "ACL", "CAT");
    return batch->categories != NULL;
}

const char *users_login(const struct task *task)
{
    return acl_gate_closed(task->engine) ? "off" : "on";
}

static size_t send_all(redisContext *db, const struct change *change)
{
    size_t sent = 0;

    SEND(db, "MULTI");
    for (size_t i = 0; i < change->count; i++) {
        if (change->commands[i].count == 0)
            continue;
        connection_send(db, words_list(&change->commands[i]));
        sent++;
    }
    SEND(db, "ACL", "SAVE");
    SEND(db, "EXEC");
    return sent;
}

/* "OK" and as many "QUEUED" as there were commands come before the answers themselves. */
static redisReply *read_answers(redisContext *db, size_t sent, struct error *err)
{
    for (size_t i = 0; i < sent + 2; i++) {
        autoptr(redisReply) queued = connection_read(db, err);
        if (queued == NULL || !connection_check(queued, err))
            return NULL;
    }
    redisReply *answers = connection_read(db, err);
    if (answers == NULL || (connection_check(answers, err) && answers->elements == sent + 1))
        return answers;
    if (err->reason == ERROR_NONE)
        error_set(err, ERROR_ENGINE, "the engine gave up the change of accounts");
    freeReplyObject(answers);
    return NULL;
}

bool users_change(struct task *task, redisContext *db, const struct change *change,
                  struct error *each, struct error *err)
{
    size_t sent = send_all(db, change);
    autoptr(redisReply) answers = read_answers(db, sent, err);
    size_t at = 0;

    if (answers == NULL)
        return false;
    for (size_t i = 0; i < change->count; i++)
        if (change->commands[i].count > 0)
            connection_check(answers->element[at++], &each[i]);
    if (!connection_check(answers->element[at], err)) {
        error_prefix(err, "the change is in force, but lost at the engine's next stop");
        return error_hint(err, "make room on the disk, then do it again");
    }
    return !acl_gate_closed(task->engine) ||
           acl_note_closed(task, db, change->name, change->login, err);
}

static bool finish(struct batch *batch, struct task *task, struct error *each, struct error *err)
{
    struct change change = { .commands = batch->commands, .count = batch->count };

    for (size_t i = 0; i < batch->count; i++)
        if (batch->commands[i].count > 0)
            return users_change(task, batch->db, &change, each, err);
    return true;
}

static void begin(struct words *words, const char *verb, const char *name)
{
    words_add(words, "ACL");
    words_add(words, verb);
    words_add(words, name);
}

static bool make_one(struct batch *batch, struct task *task, const struct user *user,
                     struct words *words, struct error *err)
{
    if (!rules_name(user->name, err) || !rules_valid(user, batch->categories, err))
        return false;
    if (acl_find(batch->acl, user->name) != NULL)
        return error_set(err, ERROR_EXISTS, "user '%s' exists already", user->name);

    autofree char *hash = password_hash(user->password);
    begin(words, "SETUSER", user->name);
    words_add(words, "reset");
    words_add(words, hash);
    rules_grant(task, user, true, words);
    words_add(words, users_login(task));
    return true;
}

bool redis_user_create(struct task *task, const struct user *users, size_t count,
                       struct error *each, struct error *err)
{
    autobatch struct batch batch = { 0 };
    autoptr(json_object) seen = json_object_new_object();

    if (!batch_open(&batch, task, count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (json_get(seen, users[i].name) != NULL)
            error_set(&each[i], ERROR_EXISTS, "user '%s' is there twice", users[i].name);
        else if (make_one(&batch, task, &users[i], &batch.commands[i], &each[i]))
            json_add_bool(seen, users[i].name, true);
    }
    return finish(&batch, task, each, err);
}

/* The line of a tenant's user; NULL with err when there is none. */
static const char *find(const struct batch *batch, const char *name, struct error *err)
{
    if (!rules_name(name, err))
        return NULL;
    const char *line = acl_find(batch->acl, name);
    if (line == NULL)
        error_set(err, ERROR_NOT_FOUND, "user '%s' does not exist", name);
    return line;
}

bool redis_user_drop(struct task *task, const struct user *users, size_t count, struct error *each,
                     struct error *err)
{
    autobatch struct batch batch = { 0 };

    if (!batch_open(&batch, task, count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (find(&batch, users[i].name, &each[i]) != NULL)
            begin(&batch.commands[i], "DELUSER", users[i].name);
    return finish(&batch, task, each, err);
}

bool redis_user_grant(struct task *task, const struct user *users, size_t count, struct error *each,
                      struct error *err)
{
    autobatch struct batch batch = { 0 };

    if (!batch_open(&batch, task, count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (find(&batch, users[i].name, &each[i]) == NULL ||
            !rules_valid(&users[i], batch.categories, &each[i]))
            continue;
        begin(&batch.commands[i], "SETUSER", users[i].name);
        rules_grant(task, &users[i], false, &batch.commands[i]);
    }
    return finish(&batch, task, each, err);
}

bool redis_user_revoke(struct task *task, const struct user *users, size_t count,
                       struct error *each, struct error *err)
{
    autobatch struct batch batch = { 0 };

    if (!batch_open(&batch, task, count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *line = find(&batch, users[i].name, &each[i]);
        if (line == NULL || !rules_valid(&users[i], batch.categories, &each[i]))
            continue;
        begin(&batch.commands[i], "SETUSER", users[i].name);
        rules_revoke(&users[i], line, &batch.commands[i]);
    }
    return finish(&batch, task, each, err);
}

bool redis_user_set_password(struct task *task, const struct user *users, size_t count,
                             struct error *each, struct error *err)
{
    autobatch struct batch batch = { 0 };

    if (!batch_open(&batch, task, count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (find(&batch, users[i].name, &each[i]) == NULL)
            continue;
        autofree char *hash = password_hash(users[i].password);
        begin(&batch.commands[i], "SETUSER", users[i].name);
        words_add(&batch.commands[i], "resetpass");
        words_add(&batch.commands[i], hash);
    }
    return finish(&batch, task, each, err);
}

/* Two commands in one transaction: the new name gets the old one's rules, hashes included. */
bool redis_user_rename(struct task *task, const struct user *user, struct error *err)
{
    autobatch struct batch batch = { 0 };
    struct error each[2] = { 0 };

    if (!batch_open(&batch, task, 2, err) || !rules_name(user->new_name, err))
        return false;
    const char *line = find(&batch, user->name, err);
    if (line == NULL)
        return false;
    if (acl_find(batch.acl, user->new_name) != NULL)
        return error_set(err, ERROR_EXISTS, "user '%s' exists already", user->new_name);

    const char *place = line + strcspn(line, " ");
    begin(&batch.commands[0], "SETUSER", user->new_name);
    words_add(&batch.commands[0], "reset");
    for (char *rule = acl_next_rule(&place); rule != NULL; rule = acl_next_rule(&place)) {
        words_add(&batch.commands[0], rule);
        free(rule);
    }
    if (acl_gate_closed(task->engine))
        words_add(&batch.commands[0], "off");
    begin(&batch.commands[1], "DELUSER", user->name);
    bool done = finish(&batch, task, each, err);
    for (size_t i = 0; i < ARRAY_SIZE(each); i++) {
        if (done && each[i].reason != ERROR_NONE) {
            error_move(err, &each[i]);
            done = false;
        }
        error_clear(&each[i]);
    }
    return done;
}

/* Sessions by user, in one walk over CLIENT LIST: rows are found by name. */
static bool count_clients(redisContext *db, struct json_object *by_name, struct error *err)
{
    autoptr(redisReply) clients = ASK(db, err, "CLIENT", "LIST");

    if (clients == NULL)
        return false;
    for (const char *at = strstr(clients->str, " user="); at != NULL; at = strstr(at, " user=")) {
        at += strlen(" user=");
        autofree char *name = xstrndup(at, strcspn(at, " \n"));
        json_add_int(by_name, name, json_get_int(by_name, name) + 1);
    }
    return true;
}

bool redis_user_list(struct task *task, struct page *page, struct error *err)
{
    autoptr(redisContext) db = connection_open(task, err);
    autoptr(acl) acl = db == NULL ? NULL : acl_read(task->engine, db, err);
    autoptr(json_object) clients = json_object_new_object();

    if (acl == NULL || !count_clients(db, clients, err))
        return false;
    for (size_t i = 0; i < acl->count; i++) {
        autofree char *name = acl_name(acl->lines[i]);
        if (acl_is_ours(name) || strcmp(name, REDIS_ROOT) == 0 ||
            (page->marker != NULL && strcmp(name, page->marker) <= 0))
            continue;
        if (!rules_row(page, acl->lines[i]))
            break;
        page_int(page, "clients", json_get_int(clients, name));
        page_end(page, '}');
    }
    return true;
}

bool redis_user_show(struct task *task, const char *name, struct json_object *row,
                     struct error *err)
{
    autobatch struct batch batch = { 0 };
    autopage struct page page = { .limit = 1 };
    autoptr(json_object) clients = json_object_new_object();
    const char *line = NULL;

    if (!batch_open(&batch, task, 0, err) || (line = find(&batch, name, err)) == NULL ||
        !count_clients(batch.db, clients, err))
        return false;
    rules_row(&page, line);
    page_int(&page, "clients", json_get_int(clients, name));
    page_end(&page, '}');
    return page_only_row(&page, row, err);
}
