#include "gate.h"

#include <string.h>

#include "acl.h"
#include "child.h"
#include "chosen.h"
#include "connection.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "redis.h"
#include "task.h"
#include "text.h"

/* While closed; what they are when open follows from conf/ without gate.conf. */
static const char *const held_settings[] = { "auto-aof-rewrite-percentage", "save" };
static const char *const held_values[] = { "0", "" };

bool gate_write(struct task *task, enum gate gate, struct error *err)
{
    autofree char *path = xasprintf("%s/gate.conf", task->engine->conf);
    static const char closed[] = "auto-aof-rewrite-percentage 0\nsave \"\"\n";

    return file_write(path, closed, gate == GATE_CLOSED ? sizeof(closed) - 1 : 0, 0644, err);
}

/* Without an append-only file a SIGTERM saves only when there are save points: a machine that shuts
 * down behind the fence would take all since the last save along. before_stop takes them away. */
static bool must_save(redisContext *db, struct error *err)
{
    autofree char *appends = connection_setting(db, "appendonly", err);

    return appends == NULL || strcmp(appends, "no") == 0;
}

static bool hold_settings(struct task *task, redisContext *db, enum gate gate, struct error *err)
{
    bool keep = gate == GATE_CLOSED && must_save(db, err);

    for (size_t i = 0; i < ARRAY_SIZE(held_settings) && err->reason == ERROR_NONE; i++) {
        if (keep && strcmp(held_settings[i], "save") == 0)
            continue;
        autofree char *open = chosen_value(task->engine, held_settings[i]);
        const char *value = gate == GATE_CLOSED ? held_values[i] : open;
        if (!connection_set(db, held_settings[i], value, err))
            return false;
    }
    return err->reason == ERROR_NONE;
}

/* Which sessions are to end: all but the agent's, or those of a name but for one number. */
struct victims {
    const char *name; /* or NULL */
    const char *but;
};

static bool is_victim(const struct victims *victims, const char *client)
{
    if (victims->name == NULL)
        return strstr(client, " user=" REDIS_AGENT " ") == NULL;

    autofree char *name = xasprintf(" name=%s ", victims->name);
    autofree char *but = xasprintf("id=%s ", victims->but);
    return strstr(client, name) != NULL && !text_starts(client, but) &&
           strstr(client, " user=" REDIS_AGENT " ") != NULL;
}

/*
 * Walks over the sessions and, with kill, ends those that are to end. How many of them had logged
 * in, or -1; nobody can as "default", so that is what those are who have not. They are ended too,
 * and are none: there may always be somebody who tries.
 */
static int look_at_sessions(redisContext *db, const struct victims *victims, bool kill,
                            struct error *err)
{
    autoptr(redisReply) clients = ASK(db, err, "CLIENT", "LIST");
    int asked = 0;
    int count = 0;

    if (clients == NULL)
        return -1;
    for (const char *line = clients->str; line != NULL && *line != '\0';) {
        size_t length = strcspn(line, "\n");
        /* A space behind it, as behind all other members: in 6.0 "user" is the last one. */
        autofree char *client = xasprintf("%.*s ", (int)length, line);
        line += length;
        line += *line == '\n';
        if (!text_starts(client, "id=") || !is_victim(victims, client))
            continue;
        count += strstr(client, " user=default ") == NULL;
        if (!kill)
            continue;
        autofree char *number = xstrndup(client + strlen("id="), strcspn(client, " ") - 3);
        SEND(db, "CLIENT", "KILL", "ID", number);
        asked++;
    }
    for (int i = 0; i < asked; i++) {
        /* One that is gone before its turn is no matter. */
        autoptr(redisReply) killed = connection_read(db, err);
        if (killed == NULL)
            return -1;
    }
    return count;
}

/*
 * Until one look finds none that has logged in. Whoever connects meanwhile gets in as nobody, since
 * the closed ACL is in force. Replicas are sessions as well.
 */
static bool end_sessions(struct task *task, redisContext *db, const struct victims *victims,
                         int *ended, struct error *err)
{
    int killed = look_at_sessions(db, victims, true, err);
    int sum = 0;

    for (; killed > 0; killed = look_at_sessions(db, victims, true, err)) {
        sum += killed;
        if (!task_goes_on(task, err))
            return false;
        task_sleep_ms(task, 1);
    }
    if (ended != NULL)
        *ended = sum;
    return killed == 0;
}

/*
 * Redis 7.0 ends the sender's own connection after ACL LOAD, later versions do not: a new one. What
 * is in force is looked at: a gate that was only written down is none.
 */
static bool load(struct task *task, redisContext **db, enum gate gate, struct error *err)
{
    if (!RUN(*db, err, "ACL", "LOAD"))
        return error_prefix(err, "cannot load the accounts");
    redisFree(*db);
    *db = connection_open(task, err);

    autoptr(acl) acl = *db == NULL ? NULL : acl_fetch(*db, err);
    if (acl == NULL)
        return false;
    for (size_t i = 0; gate == GATE_CLOSED && i < acl->count; i++) {
        autofree char *name = acl_name(acl->lines[i]);
        if (strcmp(name, REDIS_AGENT) != 0 && acl_is_login(acl->lines[i]))
            return error_set(err, ERROR_NEEDS_ATTENTION,
                             "'%s' may log in though the gate of "
                             "'%s' is closed",
                             name, task->engine->instance);
    }
    return true;
}

static bool move_running(struct task *task, redisContext **db, enum gate gate, int *ended,
                         struct error *err)
{
    static const struct victims others = { 0 };

    if (gate == GATE_OPEN)
        return hold_settings(task, *db, gate, err) && load(task, db, gate, err);

    /* Loading the accounts ends sessions as well, so they are counted before. */
    int before = look_at_sessions(*db, &others, false, err);
    int after = 0;
    if (before < 0 || !load(task, db, gate, err) || !hold_settings(task, *db, gate, err) ||
        !end_sessions(task, *db, &others, &after, err))
        return false;
    if (ended != NULL)
        *ended = before > after ? before : after;
    return true;
}

/* Opening keeps users.open.acl, which says closed, until all of it has worked. */
static bool move(struct task *task, redisContext **db, enum gate gate, int *ended,
                 struct error *err)
{
    autoptr(acl) acl = acl_read(task->engine, *db, err);

    if (acl == NULL || !gate_write(task, gate, err))
        return false;
    if (gate == GATE_CLOSED)
        return acl_write(task, acl, gate, err) &&
               (*db == NULL || move_running(task, db, gate, ended, err));
    return acl_write_loaded(task, acl, err) &&
           (*db == NULL || move_running(task, db, gate, ended, err)) &&
           acl_write(task, acl, gate, err);
}

bool redis_gate(struct task *task, enum gate gate, int *ended, struct error *err)
{
    struct process process;
    bool runs = engine_find(task->engine, &process);
    autoptr(redisContext) db = runs ? connection_open(task, err) : NULL;

    if (ended != NULL)
        *ended = 0;
    if (runs && db == NULL)
        return false;
    /* Loading accounts ends sessions in Redis 7.0: an open gate is not opened again. */
    if (gate == GATE_OPEN && runs && !acl_gate_closed(task->engine))
        return gate_write(task, gate, err) && hold_settings(task, db, gate, err);
    return move(task, &db, gate, ended, err);
}

bool redis_evict(struct task *task, struct error *err)
{
    struct process process;

    if (!engine_find(task->engine, &process))
        return true;
    autoptr(redisContext) db = connection_open(task, err);
    autoptr(redisReply) number = db == NULL ? NULL : ASK(db, err, "CLIENT", "ID");
    if (number == NULL)
        return false;
    autofree char *name = xasprintf("dbguest.%s", task->job);
    autofree char *own = xasprintf("%lld", number->integer);
    struct victims victims = { .name = name, .but = own };
    return end_sessions(task, db, &victims, NULL, err);
}

/* Settings that differ from what a start would give them, so that a start gives them again. */
static bool keep_settings(struct task *task, redisContext *db, struct error *err)
{
    autoptr(json_object) chosen = chosen_read(task->engine->conf, err);

    if (chosen == NULL)
        return false;
    struct json_object *kept = json_add_object(chosen, "kept");
    for (const char *const *name = chosen_kept_names; *name != NULL; name++) {
        autofree char *value = connection_setting(db, *name, err);
        struct json_object *memory = json_get(json_get(chosen, "memory"), *name);
        autofree char *given = memory == NULL ? NULL : chosen_text(memory);
        if (err->reason != ERROR_NONE)
            return false;
        if (value == NULL || json_get(json_get(chosen, "settings"), *name) != NULL ||
            (given != NULL && chosen_same(given, value)))
            continue;
        json_add_string(kept, *name, value);
    }
    return chosen_write(task->engine->conf, chosen, err) &&
           chosen_write_kept(task->engine->conf, kept, err);
}

bool redis_keep_memory(struct task *task, struct error *err)
{
    autoptr(redisContext) db = connection_open(task, err);

    /* A rewrite that ends later would make the append-only file shorter than the position noted. */
    if (db == NULL || !child_await_rewrite(task, db, err) || !keep_settings(task, db, err))
        return false;
    /* Behind a closed gate the file is the truth already. */
    if (acl_gate_closed(task->engine))
        return true;
    autoptr(acl) acl = acl_fetch(db, err);
    return acl != NULL && acl_write(task, acl, GATE_OPEN, err);
}

static bool same_lines(const struct acl *one, const struct acl *other)
{
    if (one->count != other->count)
        return false;
    for (size_t i = 0; i < one->count; i++)
        if (strcmp(one->lines[i], other->lines[i]) != 0)
            return false;
    return true;
}

static bool carry_accounts(struct task *task, const struct engine *from, struct error *err)
{
    autoptr(acl) theirs = acl_read_files(from->conf, err);
    autoptr(acl) ours = theirs == NULL ? NULL : acl_read_files(task->engine->conf, err);

    if (ours == NULL)
        return false;
    return (acl_gate_closed(task->engine) && same_lines(ours, theirs)) ||
           acl_write(task, theirs, GATE_CLOSED, err);
}

static bool carry_settings(struct task *task, const struct engine *from, struct error *err)
{
    autoptr(json_object) theirs = chosen_read(from->conf, err);
    autoptr(json_object) chosen = theirs == NULL ? NULL : chosen_read(task->engine->conf, err);
    struct json_object *kept = json_get(theirs, "kept");

    if (chosen == NULL)
        return false;
    if (json_object_equal(json_get(chosen, "kept"), kept))
        return true;
    json_add(chosen, "kept", json_copy(kept));
    return chosen_write(task->engine->conf, chosen, err) &&
           chosen_write_kept(task->engine->conf, json_get(chosen, "kept"), err);
}

/* Clients wait for it the second time: what this worker has written before stands. */
bool redis_carry(struct task *task, const struct engine *from, struct error *err)
{
    return carry_accounts(task, from, err) && carry_settings(task, from, err);
}
