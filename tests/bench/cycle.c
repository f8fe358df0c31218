/*
 * cycle PID SIGNAL PROGRAM ARGUMENT... - the shortest outage that a restart can have: a signal, the
 * end of the process, and at once a program that is nobody's child. Prints how long the stop took,
 * in ms.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double clock_ms(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void become(char **argv)
{
    int nothing = open("/dev/null", O_RDWR);

    setsid();
    if (fork() > 0)
        _exit(0);
    for (int fd = 0; fd < 3; fd++)
        dup2(nothing, fd);
    execv(argv[0], argv);
    _exit(127);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 64;

    pid_t pid = (pid_t)strtol(argv[1], NULL, 10);
    struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
    double began = clock_ms();

    if (end.fd < 0 || kill(pid, (int)strtol(argv[2], NULL, 10)) != 0 ||
        poll(&end, 1, 120000) != 1) {
        perror("stop");
        return 1;
    }
    double stop_ms = clock_ms() - began;
    pid_t child = fork();
    if (child == 0)
        become(argv + 3);
    waitpid(child, NULL, 0);
    printf("%.2f\n", stop_ms);
    return 0;
}
