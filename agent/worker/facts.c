#include "facts.h"

#include <string.h>

#include "cleanup.h"
#include "datastore.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "task.h"
#include "text.h"

/* "position" is not compared but must follow. */
static bool is_compared(const char *name, struct json_object *value)
{
    return strcmp(name, "position") != 0 && json_object_is_type(value, json_type_object);
}

static bool missing(const char *kind, const char *name, struct json_object *value,
                    struct json_object *other, struct error *err)
{
    if (other == NULL)
        return error_set(err, ERROR_CORRUPT, "'%s' of the %s is missing afterwards", name, kind);
    return error_set(err, ERROR_CORRUPT, "'%s' of the %s was %s and is %s", name, kind,
                     json_object_to_json_string(value), json_object_to_json_string(other));
}

static bool contains(const char *kind, struct json_object *noted, struct json_object *found,
                     struct error *err)
{
    struct json_object_iter entry;

    json_object_object_foreachC (noted, entry) {
        struct json_object *other = json_get(found, entry.key);

        if (other == NULL || !json_object_equal(entry.val, other))
            return missing(kind, entry.key, entry.val, other, err);
    }
    return true;
}

bool facts_contain(struct json_object *found, struct json_object *noted, struct json_object *proved,
                   struct error *err)
{
    struct json_object_iter member;

    json_object_object_foreachC (noted, member) {
        if (!is_compared(member.key, member.val))
            continue;
        if (!contains(member.key, member.val, json_get(found, member.key), err))
            return false;
        json_add_int(proved, member.key, json_object_object_length(member.val));
    }
    return true;
}

/* What is new afterwards was not there before: as wrong as what is missing. */
static bool nothing_new(struct json_object *before, struct json_object *after, struct error *err)
{
    struct json_object_iter member;
    struct json_object_iter entry;

    json_object_object_foreachC (after, member) {
        struct json_object *old = json_get(before, member.key);

        if (!is_compared(member.key, member.val) || old == NULL)
            continue;
        json_object_object_foreachC (member.val, entry) {
            if (json_get(old, entry.key) == NULL)
                return error_set(err, ERROR_CORRUPT, "'%s' of the %s was not there before",
                                 entry.key, member.key);
        }
    }
    return true;
}

bool facts_follow(struct task *task, struct json_object *before, struct json_object *after,
                  struct json_object *proved, struct error *err)
{
    const char *from = json_get_string(before, "position");
    const char *to = json_get_string(after, "position");

    if (from != NULL && task->store->position_follows != NULL &&
        (to == NULL || !task->store->position_follows(from, to)))
        return error_set(err, ERROR_CORRUPT, "the position %s does not follow %s",
                         to == NULL ? "(none)" : to, from);
    if (task->store->facts_follow != NULL) {
        struct error ignored = { 0 };

        /* Counts only: what may differ is the datastore's own to say. */
        facts_contain(after, before, proved, &ignored);
        error_clear(&ignored);
        return task->store->facts_follow(before, after, err);
    }
    return facts_contain(after, before, proved, err) && nothing_new(before, after, err);
}

struct json_object *facts_common(struct json_object *one, struct json_object *other)
{
    struct json_object *common = json_object_new_object();
    struct json_object_iter member;
    struct json_object_iter entry;

    json_object_object_foreachC (one, member) {
        struct json_object *old = json_get(other, member.key);

        if (!is_compared(member.key, member.val) || old == NULL)
            continue;
        struct json_object *same = json_add_object(common, member.key);
        json_object_object_foreachC (member.val, entry) {
            struct json_object *value = json_get(old, entry.key);

            if (value != NULL && json_object_equal(value, entry.val))
                json_add(same, entry.key, json_copy(value));
        }
    }
    return common;
}

char *facts_summary(struct json_object *proved)
{
    autotext struct text summary = { 0 };
    struct json_object_iter member;

    text_add(&summary, "");
    json_object_object_foreachC (proved, member) {
        bool one = json_object_get_int64(member.val) == 1 && text_ends(member.key, "s");
        text_printf(&summary, "%s%s %.*s", summary.length == 0 ? "" : ", ",
                    json_object_get_string(member.val), (int)(strlen(member.key) - one),
                    member.key);
    }
    return xstrdup(summary.bytes);
}
