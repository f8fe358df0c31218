#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "flavour.h"
#include "memory.h"
#include "my.h"
#include "text.h"

#define LOOK_MS 5
#define REFUSED_MS 250 /* who is refused is gone by then */

static bool write_form(const struct task *task, const char *name, const char *lines,
                       struct error *err)
{
    autofree char *path = xasprintf("%s/%s", task->engine->conf, name);
    autofree char *text = xasprintf("[mysqld]\n%s", lines);

    return file_write_owned(path, text, strlen(text), 0400, task->engine->uid, err);
}

/* my.cnf includes gate.cnf, a link to one of two files: moving the gate is one rename. */
static bool point_gate(const struct task *task, enum gate gate, struct error *err)
{
    autofree char *path = xasprintf("%s/gate.cnf", task->engine->conf);

    return file_link(gate == GATE_OPEN ? "gate-open.cnf" : "gate-closed.cnf", path, err);
}

bool my_write_gate(const struct task *task, const char *event_scheduler, enum gate gate,
                   struct error *err)
{
    autofree char *open = xasprintf("event_scheduler=%s\n", event_scheduler);

    return write_form(task, "gate-closed.cnf", my_flavour(task)->closed_settings, err) &&
           write_form(task, "gate-open.cnf", open, err) && point_gate(task, gate, err);
}

static bool run_all(struct connection *db, const char *const *statements, struct error *err)
{
    for (; *statements != NULL; statements++)
        if (!my_run(db, err, "%s", *statements))
            return false;
    return true;
}

/* One that has ended by itself is no failure. */
static bool end_session(struct connection *db, const char *id, struct error *err)
{
    struct error gone = { 0 };

    if (my_run(db, &gone, "KILL CONNECTION %s", id) || my_errno(db) == MY_NO_SUCH_THREAD) {
        error_clear(&gone);
        return true;
    }
    error_move(err, &gone);
    return false;
}

bool my_end_sessions(struct task *task, struct connection *db, const char *sql, int *ended,
                     struct error *err)
{
    int most = 0;

    for (;;) {
        autoptr(rows) rows = my_query(db, err, "%s", sql);
        if (rows == NULL)
            return false;
        if ((int)my_row_count(rows) > most)
            most = (int)my_row_count(rows);
        if (my_row_count(rows) == 0)
            break;
        for (char **row = my_next(rows); row != NULL; row = my_next(rows))
            if (!end_session(db, row[0], err))
                return false;
        if (!task_goes_on(task, err))
            return false;
        task_sleep_ms(task, LOOK_MS);
    }
    if (ended != NULL)
        *ended = most;
    return true;
}

/*
 * Behind a closed gate, too, sessions are seen for a moment: they authenticate, or are being
 * refused. Only who stays came in.
 */
static bool count_staying(struct task *task, struct connection *db, int *count, struct error *err)
{
    const char *sessions = my_flavour(task)->sessions;
    int64_t newest =
        my_number(db, err, "SELECT COALESCE(MAX(ID), 0) FROM (%s) AS sessions", sessions);

    for (int waited_ms = 0; newest >= 0; waited_ms += LOOK_MS) {
        int64_t left = my_number(db, err,
                                 "SELECT COUNT(*) FROM (%s) AS sessions WHERE ID <= %u AND COMMAND "
                                 "NOT IN ('Connect', 'Killed')",
                                 sessions, (uint64_t)newest);
        if (left < 0)
            return false;
        *count = (int)left;
        if (left == 0 || waited_ms >= REFUSED_MS)
            return true;
        if (!task_goes_on(task, err))
            return false;
        task_sleep_ms(task, LOOK_MS);
    }
    return false;
}

static bool shut(struct task *task, int *before, bool *was_closed, struct error *err)
{
    const struct flavour *flavour = my_flavour(task);
    autoptr(connection) db = my_connect_for_change(task, err);
    int64_t closed = db == NULL ? -1 : my_number(db, err, "%s", flavour->is_closed);

    if (closed < 0)
        return false;
    *was_closed = closed > 0;
    if (*was_closed)
        return count_staying(task, db, before, err) && run_all(db, flavour->close_gate, err);
    /* Counted now: MySQL ends most of them by itself as it goes offline. */
    int64_t count = my_number(db, err, "SELECT COUNT(*) FROM (%s) AS sessions", flavour->sessions);
    *before = (int)count;
    return count >= 0 && run_all(db, flavour->close_gate, err);
}

/*
 * Whoever connects from now on meets the closed gate, however often he tries; all who have a lower
 * number than a new connection of ours may have come in before it, also those who still
 * authenticate, and are ended (C18). One connection at a time: there may be no second free.
 */
static bool close_running(struct task *task, int *ended, struct error *err)
{
    int before = 0;
    int after = 0;
    bool was_closed = false;

    if (!shut(task, &before, &was_closed, err))
        return false;

    autoptr(connection) db = my_connect_for_change(task, err);
    if (db == NULL)
        return false;
    autofree char *sql =
        my_format(db, "%s AND ID < %u", my_flavour(task)->sessions, my_connection_id(db));
    if (!my_end_sessions(task, db, sql, &after, err))
        return false;
    if (ended != NULL)
        *ended = was_closed || before > after ? before : after;
    return true;
}

bool my_open_events(struct task *task, struct connection *db, struct error *err)
{
    autofree char *path = xasprintf("%s/gate-open.cnf", task->engine->conf);
    autofree char *form = file_read(path, NULL, err);

    return form != NULL && my_run(db, err, "SET GLOBAL event_scheduler = %s",
                                  strcasestr(form, "event_scheduler=on") != NULL ? "ON" : "OFF");
}

static bool open_running(struct task *task, struct error *err)
{
    autoptr(connection) db = my_connect_for_change(task, err);

    return db != NULL && run_all(db, my_flavour(task)->open_gate, err) &&
           my_open_events(task, db, err);
}

bool mysql_gate(struct task *task, enum gate gate, int *ended, struct error *err)
{
    struct process process;

    if (ended != NULL)
        *ended = 0;
    if (!point_gate(task, gate, err))
        return false;
    if (!engine_find(task->engine, &process))
        return true;

    return gate == GATE_OPEN ? open_running(task, err) : close_running(task, ended, err);
}
