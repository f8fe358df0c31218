/*
 * The protocol as data: one row a method. From this table come validation, rpc.discover, the
 * command line's help, completion and man pages, and docs/protocol.md. Daemon, worker and client
 * link the same table; what a method does is found elsewhere by its name.
 */
#ifndef DBGUEST_METHOD_H
#define DBGUEST_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct json_object;
struct text;

enum param_type {
    PARAM_TEXT,  /* min and max are bytes; no NUL */
    PARAM_TEXTS, /* an array of them; max is how many */
    PARAM_INT,   /* min and max are values */
    PARAM_BOOL,
    PARAM_WORD,     /* one of words */
    PARAM_WORDS,    /* an array of them */
    PARAM_INSTANCE, /* [a-z][a-z0-9-]{0,31} */
    PARAM_DATASTORE,
    PARAM_VERSION,
    PARAM_BACKUP,   /* [a-z0-9][a-z0-9-]{0,62} */
    PARAM_JOB,      /* jN */
    PARAM_SETTINGS, /* an object of name: string, number, bool or null */
    PARAM_OBJECT,   /* an object with the members that fields names */
    PARAM_OBJECTS,  /* an array of those; max is how many */
};

enum param_flags {
    PARAM_REQUIRED = 1,
    PARAM_POSITIONAL = 2, /* may stand without its option's name although it is optional */
    PARAM_SECRET = 4,     /* never on a disk, a command line or a log */
    PARAM_MADE = 16,      /* a secret that the daemon makes when it is missing, and answers once */
    PARAM_NEW = 8,        /* names what is to be made: nothing to complete, nothing to find */
};

struct param {
    const char *name;
    enum param_type type;
    unsigned int flags;
    int64_t min, max;           /* 0, 0: the type's own limits */
    const char *const *words;   /* NULL-ended */
    const char *fallback;       /* the default as JSON text, or NULL */
    const struct param *fields; /* ended by a NULL name */
    const char *help;           /* a few words */
};

/* A member of a result. Names end in their unit: _bytes, _s, _at. */
struct field {
    const char *name;
    const char *type; /* of JSON Schema: "string" "integer" "number" "boolean" "object" "array" */
    const char *help; /* or NULL */
};

enum role { ROLE_MONITOR, ROLE_TENANT, ROLE_OPERATOR };

/* What a method holds while it runs; LOCK_X(l) makes it exclusive, otherwise shared. */
enum lock {
    LOCK_SERVICE = 1 << 0, /* of the instance */
    LOCK_CATALOG = 1 << 1,
    LOCK_DATA = 1 << 2,
    LOCK_VERSION = 1 << 3, /* what datastore and version (or source) name */
    LOCK_BACKUP = 1 << 4,
};
#define LOCK_EXCLUSIVE_SHIFT 8
#define LOCK_X(lock) ((unsigned int)(lock) | ((unsigned int)(lock) << LOCK_EXCLUSIVE_SHIFT))
/* A new name: nobody may do anything with an instance of that name meanwhile. */
#define LOCK_NAME_X (LOCK_X(LOCK_SERVICE) | LOCK_X(LOCK_CATALOG) | LOCK_X(LOCK_DATA))

enum method_flags {
    METHOD_DAEMON = 1, /* answered by the daemon itself, no worker */
    METHOD_CHANGE = 2, /* a job with a folder */
    METHOD_LIST = 4,   /* takes limit and marker; rows are in the member `rows` */
    METHOD_MERGED =
        8, /* a read that every datastore program with instances answers: rows are merged */
    METHOD_CONFIRM = 16,   /* `confirm` must repeat the object's name */
    METHOD_GIVES_WAY = 64, /* engines come first: its unit has the weight of a pull */
    METHOD_STEPS = 32,     /* people want to see its steps, also when all went well */
};

struct method {
    const char *name; /* "user.create" */
    const char *help; /* one sentence with a full stop */
    unsigned int flags;
    enum role role;
    unsigned int locks;
    int timeout_s;              /* of a read; changes have the caller's deadline only */
    size_t needs;               /* offsetof(struct datastore, ...) of what it takes, or 0 */
    const char *status;         /* what instance.show says meanwhile: "UPGRADE", or NULL */
    const struct param *params; /* ended by a NULL name; without the common ones */
    const struct field *result; /* ended by a NULL name; of a list: of one row */
    const char *rows;           /* of a list: "users" */
    const char *columns;        /* of a list: the fields shown, in order, by spaces */
    const char *sparse;         /* of a list: columns that go when nobody has any; one stays */
    const char *leaves;         /* of a list: which columns go first when it is narrow */
    /* One sentence for people, "{name}" being result or parameter; "[one|other]" is one when all
     * names in it are known, else other (or nothing). "{can}" says what a user may. */
    const char *success;
    const char *reasons; /* reasons it may end with besides invalid and internal, by spaces */
    const char *const *examples; /* NULL-ended command lines without "dbguestctl " */
};

extern const struct method methods[]; /* ended by a NULL name */

const struct method *method_find(const char *name);
/* Its parameters and those every method of its kind has (detach, queue, deadline_s,
 * idempotency_key; limit, marker), one after the other: NULL after the last. */
const struct param *method_param(const struct method *method, size_t index);
const struct param *method_find_param(const struct method *method, const char *name);
bool method_is_job(const struct method *method); /* METHOD_CHANGE */
/* The parameter that names many objects at once in place of `name` and what belongs to it
 * ("users"), or NULL. */
const struct param *method_many(const struct method *method);
/* The parameter that `confirm` must repeat, or NULL. */
const struct param *method_confirmed(const struct method *method);

/*
 * Checks params (an object) against the row: types, limits, unknown and missing ones; fills in
 * defaults. Fails with invalid, naming parameter, what it is and what it may be. PARAM_NEW and
 * known names are the daemon's to look up. `confirm` is compared here.
 */
bool method_check_params(const struct method *method, struct json_object *params,
                         struct error *err);
/* Moves every secret out of params into an object of the same shape, to be put back by
 * method_join_secrets; NULL when there was none. A secret's place holds null meanwhile. */
struct json_object *method_take_secrets(const struct method *method, struct json_object *params);
void method_join_secrets(struct json_object *params, struct json_object *secrets);
/* Calls found for every secret string in params. */
void method_each_secret(const struct method *method, struct json_object *params,
                        void (*found)(const char *secret, void *context), void *context);

/* A stable digest (hex) of the table: what the CLI remembers it by. */
const char *method_table_digest(void);
/* The OpenRPC document; the caller owns it. */
struct json_object *openrpc_document(void);
/* docs/protocol.md, whole. */
void protocol_document(struct text *out);

extern const char *const role_words[]; /* by enum role */
const char *lock_word(enum lock lock); /* "service" */

#endif
