#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "postgresql.h"
#include "process.h"
#include "text.h"

/* The agent comes in by what it is, root of this machine, and in no other way; the databases' owner
 * never, whatever a tenant's root made of it. "all" does not mean replication. */
#define AGENT_LINES                                                                                \
    "local all postgres peer map=agent\n"                                                          \
    "local replication postgres peer map=agent\n"                                                  \
    "local replication all reject\n"                                                               \
    "host replication all all reject\n"                                                            \
    "host all postgres all reject\n"                                                               \
    "local all dbguest reject\n"                                                                   \
    "host all dbguest all reject\n"

static const char *const forms[] = {
    [GATE_CLOSED] = AGENT_LINES "local all all reject\n"
                                "host all all all reject\n",
    [GATE_OPEN] = AGENT_LINES "local all all scram-sha-256\n"
                              "host all all all scram-sha-256\n",
};

/* Sessions of clients; rows without a user are still on their way in (18 and newer show them). */
#define CLIENT_SESSIONS                                                                            \
    "backend_type IN ('client backend', 'walsender') AND usesysid IS NOT NULL"                     \
    " AND usename <> 'postgres'"

bool postgresql_write_gate(struct task *task, enum gate gate, struct error *err)
{
    autofree char *path = xasprintf("%s/pg_hba.conf", task->engine->conf);

    return file_write_owned(path, forms[gate], strlen(forms[gate]), 0640, task->engine->uid, err);
}

#define FULL_FOR_S 15.0 /* that long somebody may keep the agent itself from a connection */

struct children {
    struct process *all;
    size_t count, room;
};

static void children_done(struct children *children)
{
    free(children->all);
}
#define autochildren __attribute__((cleanup(children_done)))

/* What /proc/PID/stat says: 0 when it is gone or a zombie. */
static pid_t parent_of(pid_t pid)
{
    char path[64];
    char line[1024];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    bool got = fgets(line, sizeof(line), file) != NULL;
    fclose(file);

    /* "PID (NAME) STATE PARENT ..." */
    const char *state = got ? strrchr(line, ')') : NULL;
    if (state == NULL || strlen(state) < strlen(") S 1") || state[2] == 'Z' || state[2] == 'X')
        return 0;
    return (pid_t)strtol(state + strlen(") S"), NULL, 10);
}

/* The whole of /proc is read: the kernel's own list of children may leave one out that is there. */
static bool list_children(const struct process *server, struct children *children,
                          struct error *err)
{
    DIR *folder = opendir("/proc");

    if (folder == NULL)
        return error_errno(err, "cannot read '/proc'");
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid <= 0 || parent_of(pid) != server->pid)
            continue;
        if (children->count == children->room) {
            children->room = children->room == 0 ? 64 : children->room * 2;
            children->all = xrealloc(children->all, children->room * sizeof(*children->all));
        }
        if (process_find(pid, &children->all[children->count]))
            children->count++;
    }
    closedir(folder);
    return true;
}

/* The process's title, without what fills it up. */
static char *title_of(pid_t pid)
{
    autofree char *path = xasprintf("/proc/%d/cmdline", (int)pid);
    struct error ignored = { 0 };
    size_t length = 0;
    char *title = file_read(path, &length, &ignored);

    error_clear(&ignored);
    if (title == NULL)
        return xstrdup("");
    while (length > 0 && (title[length - 1] == '\0' || title[length - 1] == ' '))
        title[--length] = '\0';
    return title;
}

/* The process that collected statistics until 14 is no session and shows up nowhere. */
static bool is_collector(pid_t pid)
{
    autofree char *title = title_of(pid);

    return strcmp(title, "postgres: stats collector") == 0;
}

/*
 * Ends connections that have not said a word: such a process still has the server's own title. A
 * client that holds all there are would keep the agent out.
 */
static bool make_room(const struct process *server, struct error *err)
{
    autochildren struct children children = { 0 };
    autofree char *servers = title_of(server->pid);

    if (!list_children(server, &children, err))
        return false;
    for (size_t i = 0; i < children.count; i++) {
        autofree char *title = title_of(children.all[i].pid);

        if (strcmp(title, servers) == 0 && !process_signal(&children.all[i], SIGTERM, err))
            return false;
    }
    return true;
}

static PGconn *connect_anyhow(struct task *task, const struct process *server, struct error *err)
{
    double since = process_clock_s();

    for (;;) {
        PGconn *db = pg_connect(task, "postgres", err);
        struct error failure = { 0 };

        if (db != NULL || process_clock_s() - since > FULL_FOR_S || !process_lives(server))
            return db;
        if (!make_room(server, &failure) || !task_goes_on(task, &failure)) {
            error_move(err, &failure);
            return NULL;
        }
        error_clear(err);
        task_sleep_ms(task, 2);
    }
}

static bool is_known(const PGresult *known, pid_t pid)
{
    for (int i = 0; i < PQntuples(known); i++)
        if (pg_cell_int(known, i, 0) == pid)
            return true;

    return false;
}

/*
 * Ends children of the server that are in none of its lists, which are connections that have not
 * said yet who they are; they carry the rules of the time when they were forked. Only those that
 * started no later than `until`: whoever came after that is turned away anyway, and there may
 * always be one more. How many there were; -1 with err.
 */
static int end_unknown(struct task *task, PGconn *db, const struct process *server, uint64_t until,
                       struct error *err)
{
    autochildren struct children children = { 0 };

    /* First the children: one that gets known in between is then in the list. */
    if (!list_children(server, &children, err))
        return -1;
    autoptr(PGresult) known = pg_query(task, db,
                                       "SELECT pid FROM pg_stat_activity WHERE usesysid IS NOT NULL"
                                       " OR backend_type NOT IN ('client backend', 'walsender')",
                                       err);
    if (known == NULL)
        return -1;

    int left = 0;
    for (size_t i = 0; i < children.count; i++) {
        const struct process *child = &children.all[i];

        if (child->start_time > until || is_known(known, child->pid) || is_collector(child->pid))
            continue;
        left++;
        if (!process_signal(child, SIGTERM, err))
            return -1;
    }
    return left;
}

/* Waits until a new connection meets the new rules. */
static bool await_rules(struct task *task, const struct process *server, enum pg_answer wanted,
                        struct error *err)
{
    for (int sleep_ms = 1;; sleep_ms = sleep_ms < 16 ? sleep_ms * 2 : 20) {
        enum pg_answer answer = pg_ask_gate(task);

        if (answer == wanted)
            return true;
        if (!process_lives(server))
            return error_set(err, ERROR_ENGINE, "the engine ended while its gate moved");
        if ((answer == PG_UNKNOWN && !make_room(server, err)) || !task_goes_on(task, err))
            return false;
        task_sleep_ms(task, sleep_ms);
    }
}

/* Ends all that came in by the old rules; db came in by the new ones. */
static bool end_clients(struct task *task, PGconn *db, const struct process *server, int *ended,
                        struct error *err)
{
    struct process newcomer;
    int left = 1;

    if (!process_find(PQbackendPID(db), &newcomer))
        return error_set(err, ERROR_INTERNAL, "cannot see the server's processes");

    autofree char *count =
        pg_value(task, db, "SELECT count(*) FROM pg_stat_activity WHERE " CLIENT_SESSIONS, err);
    if (count == NULL)
        return false;

    for (int sleep_ms = 1; left > 0; sleep_ms = sleep_ms < 16 ? sleep_ms * 2 : 20) {
        /* The unknown first: who gets known in between is met by what comes second. */
        left = end_unknown(task, db, server, newcomer.start_time, err);
        if (left < 0 || !postgresql_end_sessions(task, db, CLIENT_SESSIONS, err))
            return false;
        if (left > 0 && !task_goes_on(task, err))
            return false;
        if (left > 0)
            task_sleep_ms(task, sleep_ms);
    }
    *ended = (int)strtol(count, NULL, 10);
    return true;
}

static bool move_gate(struct task *task, enum gate gate, const struct process *server, int *ended,
                      struct error *err)
{
    if (!process_signal(server, SIGHUP, err) ||
        !await_rules(task, server, gate == GATE_CLOSED ? PG_REJECTED : PG_ASKED, err))
        return error_prefix(err, "cannot move the gate");
    if (gate == GATE_OPEN)
        return true;

    autoptr(PGconn) db = connect_anyhow(task, server, err);
    if (db == NULL || !end_clients(task, db, server, ended, err))
        return error_prefix(err, "cannot end the sessions");
    return true;
}

bool postgresql_gate(struct task *task, enum gate gate, int *ended, struct error *err)
{
    struct process server;
    int count = 0;

    if (!postgresql_write_gate(task, gate, err) ||
        (engine_find(task->engine, &server) && !move_gate(task, gate, &server, &count, err)))
        return false;
    if (ended != NULL)
        *ended = count;
    return true;
}
