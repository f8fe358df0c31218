#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "my.h"
#include "process.h"

#define LATE_S 0.5

static bool count_statements(struct connection *db, int64_t *count, struct error *err)
{
    autoptr(rows) rows =
        my_query(db, err, "SHOW GLOBAL STATUS WHERE Variable_name IN ('Questions', 'Com_signal')");

    if (rows == NULL)
        return false;
    *count = 0;
    for (char **row = my_next(rows); row != NULL; row = my_next(rows))
        *count += strcasecmp(row[0], "Questions") == 0 ? strtoll(row[1], NULL, 10)
                                                       : -strtoll(row[1], NULL, 10);
    return true;
}

bool my_excuse_statements(struct connection *db, struct error *err)
{
    int64_t count = 0;

    if (!count_statements(db, &count, err))
        return false;
    my_say(count - my_said());
    return true;
}

/*
 * Statements since the server's start, but for those by which MariaDB's gate turns clients away:
 * each is one of both figures, though not in one moment, so they are looked at again.
 */
bool mysql_strangers(struct task *task, int64_t before, int64_t *count, struct error *err)
{
    autoptr(connection) db = my_connect(task, err);
    double since = process_clock_s();

    (void)before;
    if (db == NULL)
        return false;
    for (;;) {
        if (!count_statements(db, count, err))
            return false;
        *count -= my_said();
        if (*count == 0 || process_clock_s() - since > LATE_S)
            return true;
        task_sleep_ms(task, 2);
    }
}
