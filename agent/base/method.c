#include "method.h"

#include <stdio.h>
#include <string.h>

#include "json.h"

#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)
#define DEADLINE_MAX_S 31536000

const char *const role_words[] = {
    [ROLE_MONITOR] = "monitor",
    [ROLE_TENANT] = "tenant",
    [ROLE_OPERATOR] = "operator",
};

/* What all methods of a kind take. */
struct common {
    unsigned int kind; /* of enum method_flags; 0: all */
    struct param param;
};

static const struct common common_params[] = {
    { METHOD_LIST,
      { .name = "limit",
        .type = PARAM_INT,
        .min = 1,
        .max = 1000,
        .fallback = "100",
        .help = "at most so many rows" } },
    { METHOD_LIST,
      { .name = "marker", .type = PARAM_TEXT, .max = 255, .help = "rows after this name" } },
    { METHOD_CHANGE,
      { .name = "detach",
        .type = PARAM_BOOL,
        .fallback = "false",
        .help = "answer at once with the job's name" } },
    { METHOD_CHANGE,
      { .name = "queue",
        .type = PARAM_BOOL,
        .fallback = "true",
        .help = "wait for a turn; false: busy instead" } },
    { 0,
      { .name = "deadline_s",
        .type = PARAM_INT,
        .min = 1,
        .max = DEADLINE_MAX_S,
        .help = "give up after so many seconds" } },
    { METHOD_CHANGE,
      { .name = "idempotency_key",
        .type = PARAM_TEXT,
        .min = 1,
        .max = 128,
        .help = "the same key joins the same job" } },
};

struct lock_name {
    enum lock lock;
    const char *word;
};

static const struct lock_name lock_names[] = {
    { LOCK_SERVICE, "service" }, { LOCK_CATALOG, "catalog" }, { LOCK_DATA, "data" },
    { LOCK_VERSION, "version" }, { LOCK_BACKUP, "backup" },
};

const char *lock_word(enum lock lock)
{
    for (size_t i = 0; i < ARRAY_SIZE(lock_names); i++)
        if (lock_names[i].lock == lock)
            return lock_names[i].word;
    return NULL;
}

const struct method *method_find(const char *name)
{
    for (const struct method *method = methods; method->name != NULL; method++)
        if (strcmp(method->name, name) == 0)
            return method;
    return NULL;
}

bool method_is_job(const struct method *method)
{
    return (method->flags & METHOD_CHANGE) != 0;
}

const struct param *method_param(const struct method *method, size_t index)
{
    size_t own = 0;

    while (method->params != NULL && method->params[own].name != NULL) {
        if (own == index)
            return &method->params[own];
        own++;
    }
    index -= own;
    for (size_t i = 0; i < ARRAY_SIZE(common_params); i++) {
        if ((method->flags & common_params[i].kind) != common_params[i].kind)
            continue;
        if (index-- == 0)
            return &common_params[i].param;
    }
    return NULL;
}

const struct param *method_find_param(const struct method *method, const char *name)
{
    const struct param *param = NULL;

    for (size_t i = 0; (param = method_param(method, i)) != NULL; i++)
        if (strcmp(param->name, name) == 0)
            return param;
    return NULL;
}

const struct param *method_many(const struct method *method)
{
    const struct param *single = method_find_param(method, "name");

    for (size_t i = 0; single != NULL && method_param(method, i) != NULL; i++) {
        const struct param *param = method_param(method, i);
        if (param->type == PARAM_OBJECTS && (single->flags & PARAM_REQUIRED) == 0)
            return param;
    }
    return NULL;
}

const struct param *method_confirmed(const struct method *method)
{
    if ((method->flags & METHOD_CONFIRM) == 0)
        return NULL;

    const struct param *name = method_find_param(method, "name");
    return name != NULL ? name : method_param(method, 0);
}

const char *method_table_digest(void)
{
    static char digest[2 * sizeof(uint64_t) + 1];
    uint64_t hash = HASH_START;

    if (digest[0] != '\0')
        return digest;

    autoptr(json_object) document = openrpc_document();
    for (const char *at = json_line(document); *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * HASH_PRIME;
    (void)snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)hash);
    return digest;
}
