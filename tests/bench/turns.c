/*
 * bench-turns SOCKET REQUEST COUNT PROGRAM ARGUMENT... - a request to the daemon and a process of
 * one's own take turns. Prints for the process, then for the daemon: p50, p99 (ms).
 */
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROOM ((size_t)4 * 1024 * 1024)

extern char **environ;
static char bytes[ROOM];

static double clock_ms(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
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

static double run_process(char **argv)
{
    posix_spawn_file_actions_t actions;
    double began = clock_ms();
    int ends[2];
    int status = 0;
    pid_t pid = 0;

    if (pipe(ends) != 0)
        die("pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    if (posix_spawn(&pid, argv[0], &actions, NULL, argv, environ) != 0)
        die(argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    while (read(ends[0], bytes, ROOM) > 0)
        continue;
    close(ends[0]);
    waitpid(pid, &status, 0);
    if (status != 0)
        die("the process failed");
    return clock_ms() - began;
}

/* Until the line that answers; what is told on the way to it is not it. */
static double run_request(int fd, const char *request)
{
    size_t length = 0;
    size_t from = 0;
    double began = clock_ms();

    if (dprintf(fd, "%s\n", request) < 0)
        die("write");
    for (;;) {
        ssize_t got = read(fd, bytes + length, ROOM - 1 - length);
        if (got <= 0)
            die("read");
        length += (size_t)got;
        bytes[length] = '\0';
        for (char *feed; (feed = strchr(bytes + from, '\n')) != NULL;) {
            *feed = '\0';
            if (strstr(bytes + from, "\"error\":") != NULL) {
                fprintf(stderr, "%s\n", bytes + from);
                exit(1);
            }
            if (strstr(bytes + from, "\"result\":") != NULL)
                return clock_ms() - began;
            from = (size_t)(feed + 1 - bytes);
        }
    }
}

static int compare(const void *one, const void *other)
{
    double a = *(const double *)one;
    double b = *(const double *)other;

    return (a > b) - (a < b);
}

static void report(double *took_ms, size_t count)
{
    qsort(took_ms, count, sizeof(*took_ms), compare);
    printf("%.3f %.3f\n", took_ms[count / 2], took_ms[count * 99 / 100]);
}

int main(int argc, char **argv)
{
    size_t count = argc < 5 ? 0 : strtoul(argv[3], NULL, 10);

    if (count == 0)
        return 64;
    double *process_ms = calloc(count, sizeof(double));
    double *request_ms = calloc(count, sizeof(double));
    int fd = connect_to(argv[1]);
    for (size_t i = 0; i < count; i++) {
        process_ms[i] = run_process(argv + 4);
        request_ms[i] = run_request(fd, argv[2]);
    }
    report(process_ms, count);
    report(request_ms, count);
    free(process_ms);
    free(request_ms);
    return 0;
}
