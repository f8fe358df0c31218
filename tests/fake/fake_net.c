#include "fake_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un unix_address(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = FAKE_SOCKET };

    return address;
}

int net_listen_unix(void)
{
    struct sockaddr_un address = unix_address();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    unlink(FAKE_SOCKET);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(FAKE_SOCKET, 0666) != 0 || listen(fd, 128) != 0) {
        perror(FAKE_SOCKET);
        return -1;
    }
    return fd;
}

int net_listen_tcp(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 128) != 0) {
        perror("port");
        return -1;
    }
    return fd;
}

bool net_peer_is_root(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

void net_write(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        bytes += written;
        length -= (size_t)written;
    }
}

void net_hash(const char *password, char out[17])
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (const char *byte = password; *byte != '\0'; byte++)
        hash = (hash ^ (unsigned char)*byte) * 0x100000001b3U;
    snprintf(out, 17, "%016llx", (unsigned long long)hash);
}

bool net_dump(bool slowly)
{
    struct sockaddr_un address = unix_address();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FILE *engine = fd < 0 ? NULL : fdopen(fd, "r+");
    char line[8192];
    bool ended = false;

    if (engine == NULL || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        perror(FAKE_SOCKET);
        return false;
    }
    net_write(fd, "AGENT dump\nDUMP\n", strlen("AGENT dump\nDUMP\n"));
    if (fgets(line, sizeof(line), engine) == NULL || strcmp(line, "OK\n") != 0)
        return false;
    for (int i = 0; slowly && i < 10; i++)
        usleep(100 * 1000);
    while (!ended && fgets(line, sizeof(line), engine) != NULL) {
        ended = strcmp(line, ".\n") == 0;
        if (fputs(line, stdout) < 0) {
            perror("stdout");
            return false;
        }
    }
    fclose(engine);
    return ended && fflush(stdout) == 0;
}
