#include "rules.h"

#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "page.h"
#include "redis.h"
#include "task.h"
#include "text.h"

/* What each access may do; a "7" before a rule: only since 7.0, a "6": only before, when no
 * subcommand could be taken away. */
static const char *const read_rules[] = { "+@read",   "+@connection", "+@transaction",
                                          "+@pubsub", "-@scripting",  NULL };
/* Not +@read +@write: 7.0 takes five times as long to put that into words, for each ACL SAVE. */
static const char *const write_rules[] = { "+@all",          "7-function",    "7+function|list",
                                           "7-script|flush", "7-script|kill", NULL };
static const char *const all_rules[] = { "+@all", NULL };
static const char *const common_rules[] = { "+@connection", "+@transaction", "+@pubsub", NULL };
static const char *const last_rules[] = {
    "-@admin",   "-@dangerous",      "6-script",         "7-script|debug", "+info", "7+sort",
    "7+sort_ro", "6+client|setname", "6+client|getname", "6+client|id",    NULL,
};

/* Harmless to others of the agent's: reading how it is, and emptying what is theirs. */
static const char *const root_rules[] = {
    "~*",
    "+@all",
    "-@admin",
    "-@dangerous",
    "6-script",
    "7-script|debug",
    "+info",
    "+keys",
    "+sort",
    "7+sort_ro",
    "+flushdb",
    "+flushall",
    "+swapdb",
    "+config|get",
    "+client|list",
    "+slowlog",
    "+latency",
    "6+client|setname",
    "6+client|getname",
    "6+client|id",
    NULL,
};

static bool has_space(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return true;
    return false;
}

bool rules_name(const char *name, struct error *err)
{
    if (acl_is_ours(name) || strcmp(name, REDIS_ROOT) == 0)
        return error_set(err, ERROR_DENIED, "the name '%s' is reserved", name);
    if (name[0] == '\0' || strlen(name) > REDIS_NAME_BYTES)
        return error_set(err, ERROR_INVALID, "a user's name has 1 to %zu bytes", REDIS_NAME_BYTES);
    if (has_space(name))
        return error_set(err, ERROR_INVALID,
                         "the engine takes no white space or control character in a name: '%s'",
                         name);
    return true;
}

static bool check_patterns(const char *const *patterns, const char *what, struct error *err)
{
    for (; *patterns != NULL; patterns++)
        if (has_space(*patterns))
            return error_set(err, ERROR_INVALID,
                             "the engine takes no white space in the pattern of %s: '%s'", what,
                             *patterns);
    return true;
}

static bool is_known(const char *category, const redisReply *categories)
{
    for (size_t i = 0; i < categories->elements; i++)
        if (strcmp(categories->element[i]->str, category) == 0)
            return true;
    return strcmp(category, "all") == 0;
}

bool rules_valid(const struct user *user, const redisReply *categories, struct error *err)
{
    if (user->databases[0] != NULL) {
        error_set(err, ERROR_INVALID, "numbered databases have no names to give rights on");
        return error_hint(err, "keys, channels and categories say what a user may reach");
    }
    if (!check_patterns(user->keys, "keys", err) ||
        !check_patterns(user->channels, "channels", err))
        return false;
    for (const char *const *category = user->categories; *category != NULL; category++) {
        if (strcmp(*category, "admin") == 0 || strcmp(*category, "dangerous") == 0)
            return error_set(err, ERROR_DENIED, "the category '%s' is for operators", *category);
        if (!is_known(*category, categories))
            return error_set(err, ERROR_INVALID, "the engine knows no category '%s'", *category);
    }
    return true;
}

static void add_rules(struct task *task, struct words *words, const char *const *rules)
{
    bool seven = redis_at_least(task, "7.0");

    for (; *rules != NULL; rules++) {
        if ((*rules)[0] != '6' && (*rules)[0] != '7')
            words_add(words, *rules);
        else if (seven == ((*rules)[0] == '7'))
            words_add(words, *rules + 1);
    }
}

static void add_patterns(struct words *words, const char *prefix, const char *const *patterns)
{
    for (; *patterns != NULL; patterns++)
        words_printf(words, "%s%s", prefix, *patterns);
}

/* A user that is kept to some keys is not given everybody's messages. */
static void add_reach(struct task *task, const struct user *user, bool all, struct words *words)
{
    bool channels = redis_at_least(task, "6.2");

    if (all && user->keys[0] == NULL)
        words_add(words, "~*");
    if (all && user->keys[0] == NULL && user->channels[0] == NULL && channels)
        words_add(words, "&*");
    add_patterns(words, "~", user->keys);
    if (channels)
        add_patterns(words, "&", user->channels);
}

void rules_grant(struct task *task, const struct user *user, bool all, struct words *words)
{
    static const char *const *const by_access[] = {
        [ACCESS_READ] = read_rules,
        [ACCESS_WRITE] = write_rules,
        [ACCESS_ALL] = all_rules,
    };

    add_reach(task, user, all, words);
    /* Who is given more keys is not thereby given more commands. */
    if (!all && user->categories[0] == NULL && (user->keys[0] != NULL || user->channels[0] != NULL))
        return;
    if (user->categories[0] == NULL)
        add_rules(task, words, by_access[user->access]);
    else
        add_patterns(words, "+@", user->categories);
    if (user->categories[0] != NULL)
        add_rules(task, words, common_rules);
    add_rules(task, words, last_rules);
}

static bool is_listed(const char *const *list, const char *word)
{
    for (; *list != NULL; list++)
        if (strcmp(*list, word) == 0)
            return true;
    return false;
}

/* The engine can only forget all patterns of a kind: those that stay are given again. */
static void keep_patterns(const char *line, char kind, const char *const *gone, struct words *words)
{
    const char *place = line + strcspn(line, " ");

    words_add(words, kind == '~' ? "resetkeys" : "resetchannels");
    for (char *rule = acl_next_rule(&place); rule != NULL; rule = acl_next_rule(&place)) {
        bool pattern = rule[0] == kind || (kind == '~' && rule[0] == '%');
        const char *plain = rule[0] == '%' ? strchr(rule, '~') : rule;
        if (pattern && (plain == NULL || !is_listed(gone, plain + 1)))
            words_add(words, rule);
        free(rule);
    }
}

void rules_revoke(const struct user *user, const char *line, struct words *words)
{
    if (user->keys[0] == NULL && user->channels[0] == NULL && user->categories[0] == NULL) {
        words_add(words, "resetkeys");
        words_add(words, "resetchannels");
        words_add(words, "-@all");
        return;
    }
    if (user->keys[0] != NULL)
        keep_patterns(line, '~', user->keys, words);
    if (user->channels[0] != NULL)
        keep_patterns(line, '&', user->channels, words);
    add_patterns(words, "-@", user->categories);
}

void rules_root(struct task *task, struct words *words)
{
    if (redis_at_least(task, "6.2"))
        words_add(words, "&*");
    add_rules(task, words, root_rules);
}

/* The rules of a kind without its mark; keys that may only be read, "%R~", are told as they are. */
static void add_kind(struct page *page, const char *key, const struct rules *rules,
                     const char *mark)
{
    size_t skip = strlen(mark);

    page_array(page, key);
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->each[i];

        if (rule->length >= skip && memcmp(rule->start, mark, skip) == 0)
            page_item(page, rule->start + skip, rule->length - skip);
        else if (mark[0] == '~' && rule->start[0] == '%')
            page_item(page, rule->start, rule->length);
    }
    page_end(page, ']');
}

bool rules_row(struct page *page, const char *line)
{
    autofree char *name = acl_name(line);
    struct rules rules = { 0 };

    if (!page_row(page, name))
        return false;
    acl_split(line, &rules);
    page_bool(page, "login", acl_login_of(&rules));
    add_kind(page, "keys", &rules, "~");
    add_kind(page, "channels", &rules, "&");
    add_kind(page, "categories", &rules, "+@");
    free(rules.each);
    return true;
}
