/*
 * A database engine of the smallest kind: keys and values in one append-only file, each write
 * synced before it is answered. It starts in a millisecond, listens on a UNIX socket and a TCP
 * port, has users, sessions, a gate and a clean stop, and misbehaves as its configuration says.
 *
 *     fake-engine serve     the engine
 *     fake-engine init      makes an empty data folder
 *     fake-engine check     whether the configuration is understood
 *     fake-engine dump      the running engine's data on stdout
 *     fake-engine load      fills an empty data folder from stdin
 *     fake-engine version   what it is
 *
 * A session is lines of words, one answer a line: "OK ..." or "ERR ...".
 *
 *     AGENT name            of root on the socket only; the name says whose session it is
 *     AUTH user password    of everybody else; "ERR closed" while the gate is
 *     SET k v, GET k, DEL k, COUNT prefix
 *     LIST prefix           "OK n" and n lines "k v"
 *     INFO, GATE, DUMP      and of the agent alone: KICK (all but agents), EVICT name, END user
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_conf.h"
#include "fake_net.h"
#include "fake_table.h"

#define DATA "/var/lib/dbguest/data/log"
#define GATE "/var/lib/dbguest/conf/gate"
#define SESSIONS 256
#define LINE 4096

struct session {
    int fd; /* -1: none */
    bool root;
    bool agent;
    char name[128]; /* "" until it is known who it is */
    char line[LINE];
    size_t length;
};

static struct table table;
static struct session sessions[SESSIONS];
static bool closed;
static int strangers; /* who called themselves so since the start */
static volatile sig_atomic_t stop_asked, reload_asked;

static void on_signal(int number)
{
    if (number == SIGHUP)
        reload_asked = 1;
    else
        stop_asked = 1;
}

static void read_gate(void)
{
    char word[16] = "";

    closed = conf_first_line(GATE, word, sizeof(word)) && strcmp(word, "closed") == 0;
}

static int count_clients(void)
{
    int count = 0;

    for (size_t i = 0; i < SESSIONS; i++)
        count += sessions[i].fd >= 0 && !sessions[i].agent;
    return count;
}

static void say(struct session *session, const char *text)
{
    net_write(session->fd, text, strlen(text));
}

static void end_session(struct session *session)
{
    close(session->fd);
    *session = (struct session){ .fd = -1 };
}

static int end_sessions(const struct session *but, bool agents, const char *name)
{
    int count = 0;

    for (size_t i = 0; i < SESSIONS; i++) {
        struct session *session = &sessions[i];

        if (session->fd < 0 || session == but || session->agent != agents ||
            (name != NULL && strcmp(session->name, name) != 0))
            continue;
        /* Who never said a name did not get in. */
        count += session->name[0] != '\0';
        end_session(session);
    }
    return count;
}

static void list(struct session *session, const char *prefix)
{
    char line[LINE + 16];
    bool lie = strcmp(prefix, "d:") == 0 && conf_misbehaves("lie");
    size_t count = table_count(&table, prefix);

    if (lie && count > 0)
        count--;
    snprintf(line, sizeof(line), "OK %zu\n", count);
    say(session, line);
    for (size_t i = 0; i < table.count; i++) {
        if (strncmp(table.rows[i].key, prefix, strlen(prefix)) != 0)
            continue;
        if (lie) {
            lie = false;
            continue;
        }
        snprintf(line, sizeof(line), "%s %s\n", table.rows[i].key, table.rows[i].value);
        say(session, line);
    }
}

static void dump(struct session *session)
{
    char line[LINE + 16];

    for (size_t i = 0; i < table.count; i++) {
        snprintf(line, sizeof(line), "S %s %s\n", table.rows[i].key, table.rows[i].value);
        say(session, line);
    }
    say(session, ".\n");
}

static void enter(struct session *session, const char *user, const char *password)
{
    char key[160];

    snprintf(key, sizeof(key), "u:%s", user);
    const char *row = table_get(&table, key);
    char hash[17];
    net_hash(password, hash);
    if (closed) {
        say(session, "ERR closed\n");
    } else if (count_clients() > conf_number("max_clients", 100)) {
        say(session, "ERR too many clients\n");
    } else if (row == NULL || strncmp(row, hash, 16) != 0 || strncmp(row + 17, "login", 5) != 0) {
        say(session, "ERR denied\n");
    } else {
        snprintf(session->name, sizeof(session->name), "%s", user);
        say(session, "OK\n");
    }
}

static void answer_agent(struct session *session, const char *verb, const char *word)
{
    char line[64];

    if (strcmp(verb, "KICK") == 0)
        snprintf(line, sizeof(line), "OK %d\n", end_sessions(session, false, NULL));
    else if (strcmp(verb, "EVICT") == 0)
        snprintf(line, sizeof(line), "OK %d\n", end_sessions(session, true, word));
    else if (strcmp(verb, "END") == 0)
        snprintf(line, sizeof(line), "OK %d\n", end_sessions(session, false, word));
    else if (strcmp(verb, "STRANGERS") == 0)
        snprintf(line, sizeof(line), "OK %d\n", strangers);
    else
        snprintf(line, sizeof(line), "ERR what?\n");
    say(session, line);
}

/* What the agent keeps has a ":" in its name, and is not the clients' to touch. */
static bool may_touch(const struct session *session, const char *key)
{
    return session->agent || strchr(key, ':') == NULL;
}

static void answer_known(struct session *session, const char *verb, const char *key,
                         const char *value)
{
    char line[LINE + 64];
    const char *found = NULL;

    if (!may_touch(session, key)) {
        snprintf(line, sizeof(line), "ERR denied\n");
    } else if (strcmp(verb, "SET") == 0 && key[0] != '\0') {
        if (table_set(&table, key, value))
            snprintf(line, sizeof(line), "OK %llu\n", (unsigned long long)table.position);
        else
            snprintf(line, sizeof(line), "ERR %s\n", strerror(errno));
    } else if (strcmp(verb, "DEL") == 0) {
        snprintf(line, sizeof(line), table_set(&table, key, NULL) ? "OK\n" : "ERR disk\n");
    } else if (strcmp(verb, "GET") == 0) {
        found = table_get(&table, key);
        snprintf(line, sizeof(line), found == NULL ? "NONE\n" : "OK %s\n", found);
    } else if (strcmp(verb, "COUNT") == 0) {
        snprintf(line, sizeof(line), "OK %zu\n", table_count(&table, key));
    } else {
        answer_agent(session, verb, key);
        return;
    }
    say(session, line);
}

static void answer(struct session *session, char *text)
{
    char *rest = NULL;
    const char *verb = strtok_r(text, " ", &rest);
    const char *one = strtok_r(NULL, " ", &rest);
    const char *two = strtok_r(NULL, "", &rest);
    char line[256];

    if (verb == NULL)
        return;
    one = one == NULL ? "" : one;
    two = two == NULL ? "" : two;
    if (strcmp(verb, "AGENT") == 0 && session->root) {
        session->agent = true;
        snprintf(session->name, sizeof(session->name), "%s", one);
        strangers += strcmp(one, "stranger") == 0;
        say(session, "OK\n");
    } else if (strcmp(verb, "AUTH") == 0) {
        enter(session, one, two);
    } else if (session->name[0] == '\0') {
        say(session, "ERR who are you?\n");
    } else if (strcmp(verb, "INFO") == 0) {
        snprintf(line, sizeof(line), "OK %s %llu %d %zu\n", conf_version(),
                 (unsigned long long)table.position, count_clients(), table.bytes);
        say(session, line);
    } else if (strcmp(verb, "GATE") == 0) {
        say(session, closed ? "OK closed\n" : "OK open\n");
    } else if (strcmp(verb, "LIST") == 0) {
        list(session, one);
    } else if (strcmp(verb, "DUMP") == 0 && session->agent) {
        dump(session);
    } else {
        answer_known(session, verb, one, two);
    }
}

static void hear(struct session *session)
{
    ssize_t got = read(session->fd, session->line + session->length,
                       sizeof(session->line) - 1 - session->length);

    if (got <= 0) {
        end_session(session);
        return;
    }
    session->length += (size_t)got;
    session->line[session->length] = '\0';
    for (char *end; session->fd >= 0 && (end = strchr(session->line, '\n')) != NULL;) {
        char text[LINE];
        size_t length = (size_t)(end - session->line);

        memcpy(text, session->line, length);
        text[length] = '\0';
        session->length -= length + 1;
        memmove(session->line, end + 1, session->length + 1);
        answer(session, text);
    }
    if (session->fd >= 0 && session->length == sizeof(session->line) - 1)
        end_session(session);
}

static void welcome(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    for (size_t i = 0; fd >= 0 && i < SESSIONS; i++)
        if (sessions[i].fd < 0) {
            sessions[i] = (struct session){ .fd = fd, .root = net_peer_is_root(fd) };
            return;
        }
    if (fd >= 0)
        close(fd);
}

static void serve_once(const int listeners[2])
{
    struct pollfd polls[SESSIONS + 2];
    size_t who[SESSIONS + 2];
    nfds_t count = 0;

    for (size_t i = 0; i < 2; i++)
        polls[count++] = (struct pollfd){ .fd = listeners[i], .events = POLLIN };
    for (size_t i = 0; i < SESSIONS; i++) {
        if (sessions[i].fd < 0)
            continue;
        who[count] = i;
        polls[count++] = (struct pollfd){ .fd = sessions[i].fd, .events = POLLIN };
    }
    if (poll(polls, count, 200) <= 0)
        return;
    for (nfds_t i = 2; i < count; i++)
        if (polls[i].revents != 0 && sessions[who[i]].fd == polls[i].fd)
            hear(&sessions[who[i]]);
    for (size_t i = 0; i < 2; i++)
        if ((polls[i].revents & POLLIN) != 0)
            welcome(listeners[i]);
}

static int complain(const char *what)
{
    fprintf(stderr, "fake-engine %s: %s\n", conf_version(), what);
    return 1;
}

static int serve(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    int listeners[2] = { -1, -1 };

    for (size_t i = 0; i < SESSIONS; i++)
        sessions[i].fd = -1;
    if (conf_misbehaves("fail_start"))
        return complain("the sky is falling");
    if (conf_misbehaves("slow_start"))
        usleep(700 * 1000);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (conf_misbehaves("hang_stop"))
        signal(SIGTERM, SIG_IGN);
    else
        sigaction(SIGTERM, &action, NULL);
    if (!table_open(&table, DATA))
        return complain("cannot read the data");
    if (table.format != conf_format())
        return complain("the data has another format");
    read_gate();
    listeners[0] = net_listen_unix();
    if (conf_number("port", 0) > 0)
        listeners[1] = net_listen_tcp(conf_number("port", 0));
    if (listeners[0] < 0 || (conf_number("port", 0) > 0 && listeners[1] < 0))
        return complain("cannot listen");
    if (conf_misbehaves("die_soon"))
        alarm(1);
    fprintf(stderr, "fake-engine %s: ready\n", conf_version());

    while (stop_asked == 0) {
        serve_once(listeners);
        if (reload_asked != 0) {
            reload_asked = 0;
            read_gate();
        }
    }
    fprintf(stderr, "fake-engine %s: stopped\n", conf_version());
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2 || conf_version() == NULL)
        return 2;
    if (strcmp(argv[1], "serve") == 0)
        return serve();
    if (strcmp(argv[1], "check") == 0)
        return conf_check();
    if (strcmp(argv[1], "init") == 0)
        return table_make(DATA, conf_format()) ? 0 : 1;
    if (strcmp(argv[1], "dump") == 0)
        return net_dump(conf_misbehaves("slow_dump")) ? 0 : 1;
    if (strcmp(argv[1], "load") == 0)
        return table_load(DATA, conf_format()) ? 0 : 1;
    return printf("fake-engine %s\n", conf_version()) > 0 ? 0 : 1;
}
