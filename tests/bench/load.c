/*
 * bench-load SOCKET REQUEST CONNECTIONS SECONDS [PAUSE_US] - each connection sends the request,
 * waits for the line that answers it, pauses, and sends it again. Prints answers per second, then
 * the time to an answer: p50, p99, p99.9 (us).
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS 2000000 /* of 0.1 us */
#define CONNECTIONS_MAX 4096
#define WARM_PARTS 10 /* the first of so many parts of the time does not count */

static uint32_t histogram[BUCKETS];
static uint64_t sent_at[CONNECTIONS_MAX];
static int sockets[CONNECTIONS_MAX];

static uint64_t clock_ns(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("connect");
    return fd;
}

static void ask(uint32_t i, const char *line, size_t length)
{
    sent_at[i] = clock_ns();
    if (write(sockets[i], line, length) != (ssize_t)length)
        die("write");
}

/* Whether the answer is there to its end. */
static bool hear(uint32_t i)
{
    static char bytes[65536];
    ssize_t got = read(sockets[i], bytes, sizeof(bytes));

    if (got <= 0)
        die("read");
    return bytes[got - 1] == '\n';
}

static void note(uint64_t took_ns)
{
    uint64_t bucket = took_ns / 100;

    histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
}

static double percentile(uint64_t count, double part)
{
    uint64_t wanted = (uint64_t)(part * (double)count);
    uint64_t sum = 0;
    int i = 0;

    while (i < BUCKETS - 1 && sum + histogram[i] <= wanted)
        sum += histogram[i++];
    return i / 10.0;
}

static void pause_us(long microseconds)
{
    struct timespec pause = { 0, microseconds * 1000 };

    if (microseconds > 0)
        nanosleep(&pause, NULL);
}

static void report(uint64_t count, uint64_t took_ns)
{
    printf("%.0f %.1f %.1f %.1f\n", (double)count / ((double)took_ns / 1e9), percentile(count, 0.5),
           percentile(count, 0.99), percentile(count, 0.999));
}

static void hammer(int poller, const char *line, double seconds, long between_us)
{
    struct epoll_event events[256];
    uint64_t began = clock_ns();
    uint64_t span = (uint64_t)(seconds * 1e9);
    uint64_t warm = began + span / WARM_PARTS;
    uint64_t count = 0;
    uint64_t now = began;

    while (now < began + span) {
        int ready = epoll_wait(poller, events, 256, 10000);
        if (ready <= 0)
            die("nothing answers");
        for (int i = 0; i < ready; i++) {
            uint32_t number = events[i].data.u32;
            if (!hear(number))
                continue;
            now = clock_ns();
            if (now > warm) {
                note(now - sent_at[number]);
                count++;
            }
            pause_us(between_us);
            ask(number, line, strlen(line));
        }
    }
    report(count, now - warm);
}

int main(int argc, char **argv)
{
    char line[4096];
    int count = argc < 5 ? 0 : (int)strtol(argv[3], NULL, 10);
    int poller = epoll_create1(EPOLL_CLOEXEC);

    if (count < 1 || count > CONNECTIONS_MAX)
        return 64;
    snprintf(line, sizeof(line), "%s\n", argv[2]);
    for (uint32_t i = 0; i < (uint32_t)count; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

        sockets[i] = connect_to(argv[1]);
        epoll_ctl(poller, EPOLL_CTL_ADD, sockets[i], &event);
    }
    for (uint32_t i = 0; i < (uint32_t)count; i++)
        ask(i, line, strlen(line));
    hammer(poller, line, atof(argv[4]), argc > 5 ? atol(argv[5]) : 0);
    return 0;
}
