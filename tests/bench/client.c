/*
 * bench-ENGINE write|work|list|create|drop HOST PORT USER DATABASE [COUNT]; "-" for no database.
 * The password is in the environment as BENCH_PASSWORD.
 *
 *     write   writes each millisecond until SIGTERM, connecting anew when it is turned away; then
 *             prints the longest time without a write (ms), when that began and ended (seconds of
 *             the day's clock), how many writes there were and how many failures
 *     work    writes without pause until SIGTERM; then prints how many writes there were
 *     list    prints the users
 *     create  makes COUNT users; prints how long it took from the open connection on, in ms
 *     drop    drops them; the same
 */
#include "client.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static volatile sig_atomic_t stopping;

static void on_stop(int number)
{
    (void)number;
    stopping = 1;
}

static double clock_s(clockid_t clock)
{
    struct timespec now = { 0 };

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void pause_ms(long milliseconds)
{
    struct timespec pause = { 0, milliseconds * 1000000 };

    nanosleep(&pause, NULL);
}

struct gap {
    double longest_s, ended_s, last_s;
};

static void note_write(struct gap *gap, bool first)
{
    double now = clock_s(CLOCK_REALTIME);

    if (!first && now - gap->last_s > gap->longest_s) {
        gap->longest_s = now - gap->last_s;
        gap->ended_s = now;
    }
    gap->last_s = now;
}

static int write_on(const struct target *target)
{
    struct gap gap = { 0 };
    void *connection = NULL;
    long writes = 0;
    long failures = 0;

    while (!stopping) {
        if (connection == NULL)
            connection = client_open(target);
        if (connection != NULL && client_write(connection)) {
            note_write(&gap, writes++ == 0);
        } else {
            client_close(connection);
            connection = NULL;
            failures++;
        }
        pause_ms(1);
    }
    client_close(connection);
    /* One that never came back must not look like one that was never away. */
    double end = clock_s(CLOCK_REALTIME);
    if (end - gap.last_s > gap.longest_s)
        note_write(&gap, false);
    printf("%.2f %.3f %.3f %ld %ld\n", gap.longest_s * 1e3, gap.ended_s - gap.longest_s,
           gap.ended_s, writes, failures);
    return 0;
}

static int work_on(const struct target *target)
{
    unsigned int number = (unsigned int)clock_s(CLOCK_MONOTONIC);
    void *connection = NULL;
    long writes = 0;

    while (!stopping) {
        if (connection == NULL)
            connection = client_open(target);
        number = number * 1664525U + 1013904223U;
        if (connection != NULL && client_work(connection, number)) {
            writes++;
            continue;
        }
        client_close(connection);
        connection = NULL;
        pause_ms(1);
    }
    client_close(connection);
    printf("%ld\n", writes);
    return 0;
}

static int change_many(void *connection, bool (*change)(void *connection, int count), int count)
{
    double began = clock_s(CLOCK_MONOTONIC);

    if (!change(connection, count))
        return 1;
    printf("%.2f\n", (clock_s(CLOCK_MONOTONIC) - began) * 1e3);
    return 0;
}

static int run(const char *verb, const struct target *target, int count)
{
    if (strcmp(verb, "write") == 0)
        return write_on(target);
    if (strcmp(verb, "work") == 0)
        return work_on(target);

    void *connection = client_open(target);
    if (connection == NULL) {
        fprintf(stderr, "no connection\n");
        return 1;
    }
    int status = 64;
    if (strcmp(verb, "list") == 0)
        status = client_list(connection, stdout) ? 0 : 1;
    else if (strcmp(verb, "create") == 0)
        status = change_many(connection, client_create, count);
    else if (strcmp(verb, "drop") == 0)
        status = change_many(connection, client_drop, count);
    client_close(connection);
    return status;
}

int main(int argc, char **argv)
{
    struct sigaction stop = { .sa_handler = on_stop };

    if (argc < 6) {
        fprintf(stderr, "usage: %s write|work|list|create|drop HOST PORT USER DATABASE [COUNT]\n",
                argv[0]);
        return 64;
    }
    sigaction(SIGTERM, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);

    const struct target target = {
        .host = argv[2],
        .port = (int)strtol(argv[3], NULL, 10),
        .user = argv[4],
        .password = getenv("BENCH_PASSWORD"),
        .database = strcmp(argv[5], "-") == 0 ? NULL : argv[5],
    };
    return run(argv[1], &target, argc > 6 ? (int)strtol(argv[6], NULL, 10) : 1000);
}
