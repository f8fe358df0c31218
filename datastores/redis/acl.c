#include "acl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "redis.h"
#include "task.h"
#include "text.h"

void acl_free(struct acl *acl)
{
    if (acl == NULL)
        return;
    for (size_t i = 0; i < acl->count; i++)
        free(acl->lines[i]);
    free(acl->lines);
    free(acl);
}

char *acl_name(const char *line)
{
    return xstrndup(line, strcspn(line, " "));
}

/* As strcmp() of the names, of which copies would be half the work of listing a thousand users. */
static int compare_lines(const void *one, const void *other)
{
    const char *name = *(char *const *)one;
    const char *other_name = *(char *const *)other;
    size_t length = strcspn(name, " ");
    size_t other_length = strcspn(other_name, " ");
    int order = memcmp(name, other_name, length < other_length ? length : other_length);

    return order != 0 ? order : (length > other_length) - (length < other_length);
}

static void acl_add(struct acl *acl, const char *line, size_t length)
{
    if (length <= strlen("user ") || strncmp(line, "user ", strlen("user ")) != 0)
        return;
    if (acl->count == acl->room) {
        acl->room = acl->room * 2 + 16;
        acl->lines = xrealloc(acl->lines, acl->room * sizeof(*acl->lines));
    }
    acl->lines[acl->count++] = xstrndup(line + strlen("user "), length - strlen("user "));
}

/* The engine lists them in order. */
static bool is_sorted(const struct acl *acl)
{
    for (size_t i = 1; i < acl->count; i++)
        if (compare_lines(&acl->lines[i - 1], &acl->lines[i]) > 0)
            return false;
    return true;
}

static void acl_sort(struct acl *acl)
{
    if (!is_sorted(acl))
        qsort(acl->lines, acl->count, sizeof(*acl->lines), compare_lines);
}

struct acl *acl_parse(const char *text)
{
    struct acl *acl = xcalloc(1, sizeof(*acl));

    for (const char *line = text; *line != '\0'; line += *line == '\n') {
        size_t length = strcspn(line, "\n");
        acl_add(acl, line, length > 0 && line[length - 1] == '\r' ? length - 1 : length);
        line += length;
    }
    acl_sort(acl);
    return acl;
}

struct acl *acl_fetch(redisContext *db, struct error *err)
{
    autoptr(redisReply) reply = ASK(db, err, "ACL", "LIST");

    if (reply == NULL)
        return NULL;
    struct acl *acl = xcalloc(1, sizeof(*acl));
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->str != NULL)
            acl_add(acl, reply->element[i]->str, (size_t)reply->element[i]->len);
    acl_sort(acl);
    return acl;
}

static char *open_path(const char *conf)
{
    return xasprintf("%s/users.open.acl", conf);
}

static char *loaded_path(const char *conf)
{
    return xasprintf("%s/acl/users.acl", conf);
}

bool acl_gate_closed(const struct engine *engine)
{
    autofree char *path = open_path(engine->conf);

    return file_exists(path);
}

struct acl *acl_read_files(const char *conf, struct error *err)
{
    autofree char *open = open_path(conf);
    autofree char *loaded = loaded_path(conf);
    const char *path = file_exists(open) ? open : loaded;

    if (!file_exists(path))
        return acl_parse("");
    autofree char *text = file_read(path, NULL, err);
    return text == NULL ? NULL : acl_parse(text);
}

struct acl *acl_read(const struct engine *engine, redisContext *db, struct error *err)
{
    if (db != NULL && !acl_gate_closed(engine))
        return acl_fetch(db, err);
    return acl_read_files(engine->conf, err);
}

/* As strcmp() of name and the name that begins line. */
static int compare_name(const char *name, const char *line)
{
    size_t length = strcspn(line, " ");
    int order = strncmp(name, line, length);

    return order != 0 ? order : (unsigned char)name[length];
}

const char *acl_find(const struct acl *acl, const char *name)
{
    size_t low = 0;
    size_t high = acl->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_name(name, acl->lines[middle]);
        if (order == 0)
            return acl->lines[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool acl_is_ours(const char *name)
{
    return strcmp(name, "default") == 0 || strcmp(name, REDIS_AGENT) == 0;
}

char *acl_next_rule(const char **place)
{
    const char *start = *place + strspn(*place, " ");
    const char *end = strchrnul(start, start[0] == '(' ? ')' : ' ');

    if (start[0] == '\0')
        return NULL;
    end += start[0] == '(' && *end == ')';
    *place = end;
    return xstrndup(start, (size_t)(end - start));
}

void acl_split(const char *line, struct rules *rules)
{
    const char *at = strchrnul(line, ' ');

    rules->count = 0;
    for (;;) {
        while (*at == ' ')
            at++;
        if (*at == '\0')
            return;
        if (rules->count == rules->room) {
            rules->room = rules->room * 2 + 32;
            rules->each = xrealloc(rules->each, rules->room * sizeof(*rules->each));
        }
        const char *end = strchrnul(at, *at == '(' ? ')' : ' ');
        end += *at == '(' && *end == ')';
        rules->each[rules->count++] = (struct rule){ at, (size_t)(end - at) };
        at = end;
    }
}

static bool is_word(const struct rule *rule, const char *word)
{
    return rule->length == strlen(word) && memcmp(rule->start, word, rule->length) == 0;
}

bool acl_login_of(const struct rules *rules)
{
    bool login = false;

    for (size_t i = 0; i < rules->count; i++) {
        if (is_word(&rules->each[i], "on"))
            login = true;
        if (is_word(&rules->each[i], "off") || is_word(&rules->each[i], "reset"))
            login = false;
    }
    return login;
}

bool acl_is_login(const char *line)
{
    struct rules rules = { 0 };

    acl_split(line, &rules);
    bool login = acl_login_of(&rules);
    free(rules.each);
    return login;
}

/*
 * Redis before 6.2 knew no rules for channels: every account had them all. Newer versions take a
 * line that says nothing as "none", so what was meant is written down.
 */
static bool lacks_channels(const char *line)
{
    const char *place = line + strcspn(line, " ");
    bool lacks = true;

    for (char *rule = acl_next_rule(&place); rule != NULL; rule = acl_next_rule(&place)) {
        if (rule[0] == '&' || strcmp(rule, "allchannels") == 0 ||
            strcmp(rule, "resetchannels") == 0)
            lacks = false;
        free(rule);
    }
    return lacks;
}

static void add_agent(struct text *text, struct task *task, const char *secret)
{
    autofree char *hash = password_hash(secret);
    const char *channels = redis_at_least(task, "6.2") ? "&* " : "";

    /*
     * Nobody can log in as it. But a server that loads its append-only file acts as it, and checks
     * its rights at each EXEC: without any, all transactions and functions would be dropped, with
     * no word (issue 14541 of Redis, 3983 of Valkey).
     */
    text_printf(text, "user default reset ~* %s+@all\n", channels);
    text_printf(text, "user " REDIS_AGENT " on %s ~* %s+@all\n", hash, channels);
}

static void add_lines(struct text *text, struct task *task, const struct acl *acl, bool closed)
{
    bool channels = redis_at_least(task, "6.2");

    for (size_t i = 0; i < acl->count; i++) {
        autofree char *name = acl_name(acl->lines[i]);
        if (acl_is_ours(name))
            continue;
        text_printf(text, "user %s%s%s\n", acl->lines[i],
                    channels && lacks_channels(acl->lines[i]) ? " &*" : "", closed ? " off" : "");
    }
}

static bool make_folder(const struct engine *engine, struct error *err)
{
    autofree char *folder = xasprintf("%s/acl", engine->conf);

    if (!file_make_folder(folder, 0700, err))
        return false;
    if (lchown(folder, engine->uid, (gid_t)engine->uid) != 0)
        return error_errno(err, "cannot give '%s' to the engine", folder);
    return true;
}

static bool write_loaded(struct task *task, const struct acl *acl, bool closed, struct error *err)
{
    autofree char *path = loaded_path(task->engine->conf);
    autofree char *secret = secret_read(task->engine, false, err);
    autotext struct text text = { 0 };

    if (secret == NULL || !make_folder(task->engine, err))
        return false;
    add_agent(&text, task, secret);
    explicit_bzero(secret, strlen(secret));
    add_lines(&text, task, acl, closed);
    return file_write_owned(path, text.bytes, text.length, 0600, task->engine->uid, err);
}

static bool write_open(struct task *task, const struct acl *acl, struct error *err)
{
    autofree char *path = open_path(task->engine->conf);
    autotext struct text text = { 0 };

    text_add(&text, "");
    add_lines(&text, task, acl, false);
    return file_write(path, text.bytes == NULL ? "" : text.bytes, text.length, 0600, err);
}

bool acl_write_loaded(struct task *task, const struct acl *acl, struct error *err)
{
    return write_loaded(task, acl, false, err);
}

bool acl_write(struct task *task, const struct acl *acl, enum gate gate, struct error *err)
{
    autofree char *path = open_path(task->engine->conf);

    if (gate == GATE_OPEN)
        return write_loaded(task, acl, false, err) && file_remove(path, err);
    /* The truth first: a users.acl with everybody off must never be taken for it. */
    return write_open(task, acl, err) && write_loaded(task, acl, true, err);
}

/* line with the rules "on" and "off" left out and login as said put behind. */
static char *with_login(const char *line, bool login)
{
    const char *place = line + strcspn(line, " ");
    autofree char *name = acl_name(line);
    autotext struct text text = { 0 };

    text_printf(&text, "%s %s", name, login ? "on" : "off");
    for (char *rule = acl_next_rule(&place); rule != NULL; rule = acl_next_rule(&place)) {
        if (strcmp(rule, "on") != 0 && strcmp(rule, "off") != 0)
            text_printf(&text, " %s", rule);
        free(rule);
    }
    return steal(text.bytes);
}

bool acl_note_closed(struct task *task, redisContext *db, const char *name, bool login,
                     struct error *err)
{
    autoptr(acl) before = acl_read(task->engine, NULL, err);
    autoptr(acl) now = before == NULL ? NULL : acl_fetch(db, err);

    if (now == NULL)
        return false;
    for (size_t i = 0; i < now->count; i++) {
        autofree char *own = acl_name(now->lines[i]);
        const char *old = acl_find(before, own);
        bool wanted = old == NULL || acl_is_login(old);
        char *line =
            with_login(now->lines[i], name != NULL && strcmp(own, name) == 0 ? login : wanted);
        free(now->lines[i]);
        now->lines[i] = line;
    }
    return write_open(task, now, err);
}
