#include "facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "chosen.h"
#include "connection.h"
#include "engine.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "redis.h"
#include "task.h"
#include "text.h"

/* A "databases" of INFO: "db0:keys=3,expires=1,avg_ttl=0". */
struct keys {
    int64_t keys;
    int64_t expires;
};

static int64_t member(const char *line, const char *name)
{
    const char *at = strstr(line, name);

    return at == NULL ? 0 : strtoll(at + strlen(name), NULL, 10);
}

static bool next_database(const char **place, char name[16], struct keys *keys)
{
    for (const char *line = strstr(*place, "db"); line != NULL; line = strstr(line + 2, "db")) {
        size_t digits = strspn(line + 2, "0123456789");
        if ((line != *place && line[-1] != '\n') || digits == 0 || digits > 10 ||
            line[2 + digits] != ':')
            continue;
        snprintf(name, 16, "%.*s", (int)digits + 2, line);
        autofree char *whole = xstrndup(line, strcspn(line, "\r\n"));
        keys->keys = member(whole, "keys=");
        keys->expires = member(whole, "expires=");
        *place = line + strlen(whole);
        return true;
    }
    return false;
}

/*
 * Redis begins a new replication id at each start, so its offsets do not go on. What goes on is the
 * append-only file: its size as the running engine counts it is, after a start, the size of what
 * was read, and a file whose torn end was cut off is shorter. With an append-only file the position
 * is that size; it may grow while closed, by keys that expire. Without one it is the number of keys
 * and how many of them may expire meanwhile.
 */
char *facts_position(const char *info)
{
    struct keys sum = { 0 };
    struct keys keys = { 0 };
    char name[16];

    if (info_number(info, "aof_enabled") == 1)
        return xasprintf("aof:%" PRId64, info_number(info, "aof_current_size"));
    while (next_database(&info, name, &keys)) {
        sum.keys += keys.keys;
        sum.expires += keys.expires;
    }
    return xasprintf("keys:%" PRId64 ":%" PRId64, sum.keys, sum.expires);
}

bool redis_position_follows(const char *before, const char *after)
{
    int64_t old = 0;
    int64_t now = 0;
    int64_t expiring = 0;

    if (scan_number(&before, "aof:", &old))
        return scan_number(&after, "aof:", &now) && now >= old;
    return scan_number(&before, "keys:", &old) && scan_number(&before, ":", &expiring) &&
           scan_number(&after, "keys:", &now) && now <= old && now >= old - expiring;
}

static void add_digest(struct json_object *object, const char *name, const char *text)
{
    autofree char *digest = password_hash(text);

    digest[1 + 16] = '\0';
    json_add_string(object, name, digest + 1);
}

static int compare_rules(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

static bool is_silent(const char *rule)
{
    static const char *const silent[] = { "on", "off", "sanitize-payload", "resetchannels",
                                          "-@all" };

    for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
        if (strcmp(rule, silent[i]) == 0)
            return true;
    return false;
}

/*
 * The rules of a line for commands, or all others, in a form that versions agree on: sorted,
 * for 7.0 gives them in no certain order; without what says nothing ("sanitize-payload" is always
 * there since 6.2) and without the login, which the closed gate takes away. Before 6.2 an account
 * had all channels and its line said nothing of them.
 */
static char *canonical(const char *line, bool commands)
{
    const char *place = line + strcspn(line, " ");
    autowords struct words rules = { 0 };
    autotext struct text text = { 0 };
    bool channels = commands;

    for (char *rule = acl_next_rule(&place); rule != NULL; rule = acl_next_rule(&place)) {
        channels = channels || rule[0] == '&' || strcmp(rule, "resetchannels") == 0;
        if (!is_silent(rule) && commands == (rule[0] == '+' || rule[0] == '-'))
            words_add(&rules, rule);
        free(rule);
    }
    if (!channels)
        words_add(&rules, "&*");
    if (rules.count > 1)
        qsort(rules.list, rules.count, sizeof(*rules.list), compare_rules);
    text_add(&text, "");
    for (size_t i = 0; i < rules.count; i++)
        text_printf(&text, " %s", rules.list[i]);
    return text.bytes == NULL ? xstrdup("") : steal(text.bytes);
}

/*
 * Passwords, keys and channels as the engine has them loaded; who may log in, and the commands, as
 * the truth behind the gate says: versions put the same commands into other words (6 and 7.0 make
 * them up from a bitmap), and an engine that did not understand them would not have started.
 */
static bool add_users(struct task *task, redisContext *db, struct json_object *facts,
                      struct error *err)
{
    autoptr(acl) loaded = acl_fetch(db, err);
    autoptr(acl) truth = loaded == NULL ? NULL : acl_read(task->engine, db, err);

    if (truth == NULL)
        return false;
    struct json_object *users = json_add_object(facts, "users");
    struct json_object *grants = json_add_object(facts, "grants");
    for (size_t i = 0; i < loaded->count; i++) {
        autofree char *name = acl_name(loaded->lines[i]);
        const char *line = acl_find(truth, name);
        if (acl_is_ours(name) || line == NULL)
            continue;
        autofree char *own = canonical(loaded->lines[i], false);
        autofree char *commands = canonical(line, true);
        autofree char *user = xasprintf("%s%s", acl_is_login(line) ? "login" : "no login", own);
        add_digest(users, name, user);
        add_digest(grants, name, commands);
    }
    return true;
}

static bool add_setting(redisContext *db, struct json_object *settings, const char *name,
                        struct error *err)
{
    autofree char *value = connection_setting(db, name, err);

    if (value != NULL)
        json_add_string(settings, name, value);
    return err->reason == ERROR_NONE;
}

/* Those that have a reason to be as they are; the gate holds two of them while it is closed. */
static bool add_settings(struct task *task, redisContext *db, struct json_object *facts,
                         struct error *err)
{
    static const char *const places[] = { "settings", "kept", "memory" };
    static const char *const always[] = { "appendonly", "maxmemory", "maxmemory-policy" };
    autoptr(json_object) chosen = chosen_read(task->engine->conf, err);

    if (chosen == NULL)
        return false;
    struct json_object *settings = json_add_object(facts, "settings");
    for (size_t i = 0; i < ARRAY_SIZE(always); i++)
        if (!add_setting(db, settings, always[i], err))
            return false;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        struct json_object *some = json_get(chosen, places[i]);
        if (some == NULL)
            continue;
        struct json_object_iter setting;
        json_object_object_foreachC (some, setting) {
            if (strcmp(setting.key, "save") != 0 &&
                strcmp(setting.key, "auto-aof-rewrite-percentage") != 0 &&
                strcmp(setting.key, "rdbcompression") != 0 &&
                !add_setting(db, settings, setting.key, err))
                return false;
        }
    }
    return true;
}

/* Of each database the keys that stay for ever: the others may be fewer whenever one looks again.
 */
static void add_databases(const char *info, struct json_object *facts)
{
    struct json_object *databases = json_add_object(facts, "databases");
    struct keys keys = { 0 };
    char name[16];

    while (next_database(&info, name, &keys))
        if (keys.keys > keys.expires)
            json_add_int(databases, name, keys.keys - keys.expires);
}

/* The code of each library; the reply is pairs of names and values. */
static bool add_functions(struct task *task, redisContext *db, struct json_object *facts,
                          struct error *err)
{
    struct json_object *functions = json_add_object(facts, "objects");

    if (!redis_at_least(task, "7.0"))
        return true;
    autoptr(redisReply) reply = ASK(db, err, "FUNCTION", "LIST", "WITHCODE");
    if (reply == NULL)
        return false;
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *library = reply->element[i];
        const char *name = NULL;
        const char *code = NULL;
        for (size_t j = 0; j + 1 < library->elements; j += 2) {
            if (strcmp(library->element[j]->str, "library_name") == 0)
                name = library->element[j + 1]->str;
            if (strcmp(library->element[j]->str, "library_code") == 0)
                code = library->element[j + 1]->str;
        }
        if (name != NULL && code != NULL)
            add_digest(functions, name, code);
    }
    return true;
}

bool redis_facts(struct task *task, struct json_object *facts, struct error *err)
{
    autoptr(redisContext) db = connection_open(task, err);

    if (db == NULL || !add_users(task, db, facts, err) || !add_settings(task, db, facts, err) ||
        !add_functions(task, db, facts, err))
        return false;

    autofree char *info = connection_info(db, "all", err);
    if (info == NULL)
        return false;
    autofree char *position = facts_position(info);
    autofree char *version = info_text(info, flavour_find(task->store->name)->info_version);
    add_databases(info, facts);
    json_add_string(facts, "version", version);
    json_add_string(facts, "position", position);
    return true;
}

static bool same_members(const char *kind, struct json_object *before, struct json_object *after,
                         struct error *err)
{
    if (before == NULL || after == NULL)
        return before == after || error_set(err, ERROR_CORRUPT, "facts are missing");
    if (json_object_object_length(before) != json_object_object_length(after))
        return error_set(err, ERROR_ENGINE, "there were %d %s before and are %d now",
                         json_object_object_length(before), kind, json_object_object_length(after));
    struct json_object_iter entry;
    json_object_object_foreachC (before, entry) {
        struct json_object *now = json_get(after, entry.key);
        if (now == NULL || !json_object_equal(entry.val, now))
            return error_set(err, ERROR_ENGINE, "%s: '%s' is not as it was", kind, entry.key);
    }
    return true;
}

/* A version may not know a setting any more, and then says nothing of it. */
static bool same_settings(struct json_object *before, struct json_object *after, struct error *err)
{
    if (before == NULL)
        return true;
    struct json_object_iter entry;
    json_object_object_foreachC (before, entry) {
        struct json_object *now = json_get(after, entry.key);
        if (now != NULL && !json_object_equal(entry.val, now))
            return error_set(err, ERROR_ENGINE, "settings: '%s' was '%s' and is '%s'", entry.key,
                             json_object_get_string(entry.val), json_object_get_string(now));
    }
    return true;
}

bool redis_facts_follow(struct json_object *before, struct json_object *after, struct error *err)
{
    static const char *const kinds[] = { "users", "grants", "objects", "databases" };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (!same_members(kinds[i], json_get(before, kinds[i]), json_get(after, kinds[i]), err))
            return false;
    return same_settings(json_get(before, "settings"), json_get(after, "settings"), err);
}
