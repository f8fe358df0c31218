/*
 * The engine's accounts as lines, "NAME rule rule ...", and the two files that hold them.
 *
 * The gate is the ACL. Open, conf/acl/users.acl is the truth as last saved, and the engine's memory
 * is the truth now. Closed, conf/users.open.acl is the truth, and users.acl has the same lines with
 * "off" after each but the agent's: nobody may log in, and yet a new version has had to understand
 * every line before anything is committed. That users.open.acl exists is what closed means here.
 *
 * The lines of "default" (never on) and of the agent are ours: they are taken from no list.
 */
#ifndef DBGUEST_REDIS_ACL_H
#define DBGUEST_REDIS_ACL_H

#include <stdbool.h>
#include <stddef.h>

#include "connection.h"
#include "datastore.h"

struct engine;
struct error;
struct task;

struct acl {
    char **lines; /* in byte order of the names */
    size_t count, room;
};
void acl_free(struct acl *acl);
DEFINE_AUTOPTR(acl, acl_free)

/* Of a file's text: lines that begin with "user ". */
struct acl *acl_parse(const char *text);
/* The engine's ACL LIST, as it is in memory. */
struct acl *acl_fetch(redisContext *db, struct error *err);
/* The truth: closed, from the file; open, from db, or from the file when db is NULL. */
struct acl *acl_read(const struct engine *engine, redisContext *db, struct error *err);
/* The truth as the files of a conf/ folder have it. */
struct acl *acl_read_files(const char *conf, struct error *err);
/* The line of a name, or NULL. */
const char *acl_find(const struct acl *acl, const char *name);
/* The name that begins a line; the caller frees it. */
char *acl_name(const char *line);
bool acl_is_login(const char *line);
/* Whether a name is "default" or the agent's. */
bool acl_is_ours(const char *name);

/* Walks the rules of a line: NULL at its end. A selector "(...)" is one rule. Free each. */
char *acl_next_rule(const char **place);

/* The same at once, without copies; starts zeroed, may be used again, the caller frees each. */
struct rules {
    struct rule {
        const char *start;
        size_t length;
    } * each;
    size_t count, room;
};
void acl_split(const char *line, struct rules *rules);
bool acl_login_of(const struct rules *rules);

bool acl_gate_closed(const struct engine *engine);
/* Writes the files for accounts and gate, durably, in the order that never opens by accident. */
bool acl_write(struct task *task, const struct acl *acl, enum gate gate, struct error *err);
/* The first half of opening: users.acl only, while users.open.acl still says closed. */
bool acl_write_loaded(struct task *task, const struct acl *acl, struct error *err);
/*
 * After accounts changed behind a closed gate: brings users.open.acl up to date with the engine.
 * Logins stay as they were in the file, new accounts may log in; name (or NULL) gets the login
 * said.
 */
bool acl_note_closed(struct task *task, redisContext *db, const char *name, bool login,
                     struct error *err);

#endif
