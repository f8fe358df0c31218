/*
 * What a datastore is: a table of functions, the same verbs for every engine. NULL means that the
 * datastore cannot do it; the method table names for each method the member that it needs, so that
 * `describe` and the answer "unsupported" follow from this table alone.
 *
 * The task comes first, the error last; what goes in belongs to the caller, JSON that comes back is
 * filled into an object that the caller made and owns. Functions that change something look at the
 * world first and do what is missing, so that repeating them after a crash is harmless. All of them
 * act on task->engine. Native error codes become ours in one table, in connection.c.
 */
#ifndef DBGUEST_DATASTORE_H
#define DBGUEST_DATASTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file.h"

struct engine;
struct error;
struct json_object;
struct page;
struct task;

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_ALL };

/* A user as asked for; lists are NULL-ended and never NULL themselves. */
struct user {
    const char *name;
    const char *password; /* NULL where the method has none */
    const char *new_name; /* of a rename */
    const char *const *databases;
    enum access access;
    const char *const *keys;       /* Redis: key patterns ("shop:*"), ... */
    const char *const *channels;   /* ... channel patterns, ... */
    const char *const *categories; /* ... and command categories, without "@" */
};

struct database {
    const char *name;
    const char *encoding; /* or NULL: the datastore's default */
    const char *locale;   /* or NULL */
};

/* Whether data of one version may be used by another, judged by the engine's knowledge (5. DESIGN).
 */
enum edge {
    EDGE_SAME_FORMAT, /* stop the old, start the new; and back as long as the promise holds */
    EDGE_MIGRATE,     /* the data must be given another form first */
    EDGE_DOWNGRADE,
    EDGE_NONE, /* these two never: another line of the engine, too far a step */
};

enum gate { GATE_CLOSED, GATE_OPEN };

/* How a stream of a backup is packed: what a person types to unpack it by hand. */
struct backup_form {
    const char *file;    /* "data.tar.zst" */
    const char *by_hand; /* "zstd -d < %s | tar x": %s is the file */
    bool packs_itself;   /* the engine's tool compresses: the stream is zstd already */
};

/* What a migration takes on an idle machine of these days, beside the copying of bytes: for all and
 * for each object that the proof compares. What it took on this VM corrects that. */
struct migration_cost {
    double fixed_s;
    double object_s;
};

struct datastore {
    const char *name;            /* the protocol's word: "mariadb"; a program may serve several */
    const char *user;            /* the name of its uid inside the tree: "mysql" */
    const char *const *packages; /* Debian's, NULL-ended, that make a tree: "redis-server" */
    size_t name_bytes;           /* the longest name of a database or user */
    bool atomic;                 /* many in one call are all or nothing */
    bool one_socket;             /* its IPv6 socket takes IPv4, too: it has no other */
    struct migration_cost migration_cost;
    const char *const *remarks; /* sentences for `describe`: what an operator should know */

    /*
     * Asks the programs inside tree what they are and adds to manifest: "engine_version" ("15.18"),
     * and what later decisions need ("libc", "icu", "extensions": [..], "format", ...). Fails with
     * incompatible when tree does not hold this datastore. task->engine has tree, uid and user
     * only.
     */
    bool (*probe)(struct task *task, struct json_object *manifest, struct error *err);
    /* Judges a step between two manifests' engine_version; reason is a sentence, static or NULL. */
    enum edge (*edge)(const char *from, const char *to, const char **reason);

    /*
     * Writes all of the generation's conf/ and launch.json for settings (an object of name: value;
     * values string, number, bool; NULL values are left out by the caller) with the gate closed or
     * open as said. Settings by memory are chosen here, for site and VM. Fails with invalid for a
     * setting that is ours (port, paths, gate) or cannot be one. The engine need not run.
     */
    bool (*configure)(struct task *task, struct json_object *settings, enum gate gate,
                      struct error *err);
    /* Makes a new empty data folder in engine->files with the agent's own account and nothing else.
     */
    bool (*initialize)(struct task *task, struct error *err);
    /* After configure(): whether the engine's own parser accepts it, in its own words; without
     * touching data. Optional: where there is no such check a failing start tells. */
    bool (*check_settings)(struct task *task, struct error *err);
    /*
     * Starts the engine with the gate as configured and waits until it answers the agent. Starting
     * what runs already succeeds. On failure the engine's last log lines are err->native.
     */
    bool (*start)(struct task *task, struct error *err);
    /*
     * Makes the coming stop short while clients work (checkpoint and the like), bounded to 2 s
     * where it gains nothing. Optional.
     */
    bool (*settle)(struct task *task, struct error *err);
    bool (*unsettle)(struct task *task, struct error *err); /* puts back what settle changed */
    /* What must be done between fence and stop signal so that nothing is lost (Redis: its last
     * save; MariaDB: fast_shutdown). The stop itself is the worker's. thorough: another version
     * will migrate the data, so that nothing may be left for the next start to do. Optional. */
    bool (*before_stop)(struct task *task, bool thorough, struct error *err);
    /* Right behind the stop signal, for an engine that is slow to notice it. Waits for nothing, and
     * when it fails the signal is still there. Optional. */
    void (*urge_stop)(struct task *task);
    /*
     * Moves the gate of the generation, running or not: files first, durably, then, when it runs,
     * makes it effective; closing then ends all sessions but the agent's until none is left, also
     * those still authenticating (C18). *ended is how many there were; may be NULL.
     */
    bool (*gate)(struct task *task, enum gate gate, int *ended, struct error *err);
    /*
     * Of a closed, running engine, by its own count: how often others than this worker were in
     * (C18). Asked before a stop, with before 0, and of what was started on the same data, with
     * what the first call gave: then 0 says that nobody was. Of migrated data before is 0 again.
     * Sessions of agents that only read are not there meanwhile. Optional.
     */
    bool (*strangers)(struct task *task, int64_t before, int64_t *count, struct error *err);
    /*
     * Ends sessions that an earlier, killed worker of this job left in the engine, and waits until
     * they are gone (C10). Every connection of the agent carries the job's name for this.
     */
    bool (*evict)(struct task *task, struct error *err);
    /* What lives only in memory goes into the generation's conf before the fence (C20). Optional.
     */
    bool (*keep_memory)(struct task *task, struct error *err);
    /* Carries what the conf of `from` holds beyond settings (Redis: accounts) into the conf of
     * task->engine, which configure() has written with its gate closed. Neither runs. Optional. */
    bool (*carry)(struct task *task, const struct engine *from, struct error *err);

    /*
     * For EDGE_MIGRATE: makes of the data of `from`, which is stopped and stays as it is, data for
     * task->engine's version in task->engine->files, which is empty; synced. how says whether the
     * files of both may share blocks. Neither runs. NULL: adapt() does it, on a copy of the data;
     * where there is none either such a step is refused.
     */
    bool (*migrate)(struct task *task, struct engine *from, enum file_copy how, struct error *err);
    /* What adapt() needs to know of the old version, which serves: adds members to noted. */
    bool (*note)(struct task *task, struct json_object *noted, struct error *err);
    /*
     * What only the new version can do on data that the old one left, running and closed: indexes
     * whose order has changed; when the data was migrated extensions, system tables, too. Optional.
     */
    bool (*adapt)(struct task *task, struct json_object *noted, bool migrated, struct error *err);
    /* After a migration what may wait until clients are at work again (statistics). Optional. */
    bool (*polish)(struct task *task, struct error *err);

    /*
     * Of a running engine: "version" (its own word), "uptime_s", "clients", "clients_max",
     * "size_bytes", "databases" (count; absent where there are none), "position" (text),
     * "restart_needed" [names], "memory" {settings chosen by memory}, "settings_in_force" ...
     */
    bool (*status)(struct task *task, struct json_object *status, struct error *err);
    /*
     * Applies the settings of the generation just configured to the running engine, as far as that
     * goes without a restart; adds the names of the others to restart_needed (an array).
     */
    bool (*reload)(struct task *task, struct json_object *restart_needed, struct error *err);
    /*
     * What must be the same before and after an upgrade or restore: an object of objects, each by
     * name: "databases", "users", "grants", "objects" (tables, indexes, ...: kind; where cheap
     * rows), "settings". And "position", "version" (its own word): text. Deterministic, passwords
     * as stored hashes' digest at most.
     */
    bool (*facts)(struct task *task, struct json_object *facts, struct error *err);
    /* Whether after may follow before; NULL: members are compared one by one. position is compared
     * by position_follows in any case. */
    bool (*facts_follow)(struct json_object *before, struct json_object *after, struct error *err);
    bool (*position_follows)(const char *before, const char *after);
    /* Findings of this engine that speak against (or about) an upgrade to manifest `target`: adds
     * {severity, reason, message, hint} objects to findings. Changes nothing. */
    bool (*check_upgrade)(struct task *task, struct json_object *target,
                          struct json_object *findings, struct error *err);

    /* Rows are {name, owner, size_bytes, encoding, locale}, by name in byte order. */
    bool (*database_list)(struct task *task, struct page *page, struct error *err);
    /* One by name: fills row or fails with not_found. */
    bool (*database_show)(struct task *task, const char *name, struct json_object *row,
                          struct error *err);
    /*
     * Creates, drops, ... `count` of them. each[i] is where the i-th one failed; reason none: done.
     * An atomic datastore does all or none: on failure it returns false with err and the index as
     * "at" (error_add) and leaves each alone. Otherwise false means that none could be tried.
     */
    bool (*database_create)(struct task *task, const struct database *databases, size_t count,
                            struct error *each, struct error *err);
    bool (*database_drop)(struct task *task, const struct database *databases, size_t count,
                          struct error *each, struct error *err);

    /* Rows are {name, login, databases: {name: "write"}, clients}; Redis: keys, channels,
     * categories in place of databases. */
    bool (*user_list)(struct task *task, struct page *page, struct error *err);
    bool (*user_show)(struct task *task, const char *name, struct json_object *row,
                      struct error *err);
    bool (*user_create)(struct task *task, const struct user *users, size_t count,
                        struct error *each, struct error *err);
    bool (*user_drop)(struct task *task, const struct user *users, size_t count, struct error *each,
                      struct error *err);
    bool (*user_grant)(struct task *task, const struct user *users, size_t count,
                       struct error *each, struct error *err);
    bool (*user_revoke)(struct task *task, const struct user *users, size_t count,
                        struct error *each, struct error *err);
    bool (*user_set_password)(struct task *task, const struct user *users, size_t count,
                              struct error *each, struct error *err);
    bool (*user_rename)(struct task *task, const struct user *user, struct error *err);

    /* The account is called "root". enable gives it this password; enabling again a new one. */
    bool (*root_enable)(struct task *task, const char *password, struct error *err);
    /* No login any more, sessions ended; adds sentences about what it left to left_behind. */
    bool (*root_disable)(struct task *task, struct json_object *left_behind, struct error *err);
    /* {"enabled": bool, "privileges": text} */
    bool (*root_status)(struct task *task, struct json_object *row, struct error *err);

    /* How this engine's backups look; may ask the version. */
    bool (*backup_form)(struct task *task, struct backup_form *form, struct error *err);
    /*
     * Streams a consistent copy of the serving engine into output and closes nothing. Adds to
     * manifest "position_start", "position_end" (text) and what restore needs. Whatever it switches
     * in the engine it puts back, and recover() does so after a kill (see backup_undo). Nothing is
     * staged on a disk.
     */
    bool (*backup)(struct task *task, int output, struct json_object *manifest, struct error *err);
    bool (*backup_undo)(struct task *task, struct error *err); /* optional */
    /*
     * Fills the empty engine->files from input (decompressed bytes), and makes it ready to start as
     * a new history (C26) with the agent's own access sure to work; the generation is configured
     * already. Does not start it.
     */
    bool (*restore)(struct task *task, int input, struct json_object *manifest, struct error *err);
};

#endif
