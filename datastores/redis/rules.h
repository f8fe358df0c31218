/*
 * The ACL rules that make a tenant's user: never @admin and @dangerous, whatever is asked for, so
 * that nothing of a tenant's moves the gate, changes accounts, stops or replicates the engine, or
 * ends sessions. Of @dangerous come back INFO, which every client library calls, and SORT, which
 * since 7.0 keeps to the keys allowed.
 */
#ifndef DBGUEST_REDIS_RULES_H
#define DBGUEST_REDIS_RULES_H

#include <stdbool.h>

#include "connection.h"
#include "datastore.h"

struct error;
struct page;
struct task;

/* Names are those that the engine can hold: no white space and control characters, not ours. */
bool rules_name(const char *name, struct error *err);
/* Whether the lists of a user hold what the engine takes; categories is its ACL CAT. */
bool rules_valid(const struct user *user, const redisReply *categories, struct error *err);
/* Rules for what user may reach and do. With all a list that is empty means its default. */
void rules_grant(struct task *task, const struct user *user, bool all, struct words *words);
/* Rules that take away what user lists, given its line; nothing listed: everything. */
void rules_revoke(const struct user *user, const char *line, struct words *words);
/* The account "root". */
void rules_root(struct task *task, struct words *words);
/* Begins a row, {name, login, keys, channels, categories}; the caller adds clients and its end. */
bool rules_row(struct page *page, const char *line);

#endif
