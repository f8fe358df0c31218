/*
 * MariaDB and MySQL are one program: where they differ is in this table and nowhere else.
 */
#ifndef MYSQL_FLAVOUR_H
#define MYSQL_FLAVOUR_H

#include <stdbool.h>
#include <stddef.h>

struct task;

struct flavour {
    const char *name;              /* the datastore's */
    const char *word;              /* of the version that a program of it prints, or NULL */
    const char *const *servers;    /* where trees have the server, for engine_tree_path() */
    size_t user_name_characters;   /* the longest user name */
    bool grants_by_pattern;        /* the database's name in GRANT is a pattern */
    const char *revoke;            /* begins a REVOKE of what may partly not be granted */
    const char *session;           /* what SET gives each session of ours */
    const char *own_settings;      /* lines of my.cnf that only this one understands */
    const char *event_scheduler;   /* what it is unless chosen */
    const char *closed_settings;   /* lines of gate-closed.cnf */
    const char *const *close_gate; /* NULL-ended SQL, on a running server */
    const char *const *open_gate;  /* the events come after it */
    const char *is_closed;         /* SQL: 1 or 0, of a running server */
    const char *sessions;          /* SQL: id, user, host, state of all that is not the agent */
    const char *accounts;          /* SQL: a table (user, locked, secret) of accounts 'name'@'%' */
    const char *account_facts;     /* SQL: name@host, what it logs in with */
    const char *global_grants;     /* SQL: user, host, text, of what is not in tables both have */
    const char *lsn;               /* the status variable that grows with each change */
    const char *identified;        /* between an account and the hash of its password */
    char *(*hash)(const char *password);
    const char *const *root_grants; /* NULL-ended statements, in their order */
    const char *root_privileges;    /* the same as a sentence */
};

const struct flavour *my_flavour(const struct task *task);
extern const struct flavour flavour_mariadb;
extern const struct flavour flavour_mysql;

/* The names in mysql.* and others that are not a tenant's. */
bool my_is_internal_database(const char *name);
bool my_is_internal_user(const char *name);

#endif
