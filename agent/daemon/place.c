#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "file.h"
#include "log.h"
#include "memory.h"

/* The lock stays with the open file: it is never closed. Its text says who has it. */
static bool take_lock(const char *path, const char *what, struct error *err)
{
    int fd = file_lock(path, false, err);

    if (fd < 0 && err->reason == ERROR_BUSY) {
        struct error ignored = { 0 };
        autofree char *holder = file_read(path, NULL, &ignored);

        error_clear(&ignored);
        return error_set(err, ERROR_BUSY, "%s is in use by another dbguestd, process %s", what,
                         holder != NULL && *holder != '\0' ? holder : "(unknown)");
    }
    if (fd < 0)
        return false;
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d", getpid()) < 0)
        return error_errno(err, "cannot write '%s'", path);
    return true;
}

static bool take_locks(const struct config *config, struct error *err)
{
    autofree char *state = xasprintf("%s/lock", config->site.state_dir);
    autofree char *socket = xasprintf("%s.lock", config->socket);
    autofree char *state_name = xasprintf("the state folder '%s'", config->site.state_dir);
    autofree char *socket_name = xasprintf("the socket '%s'", config->socket);

    return take_lock(state, state_name, err) && take_lock(socket, socket_name, err);
}

/* Where /run is no memory, as in many containers, a small one of our own. */
static bool make_secrets(const char *folder)
{
    struct error err = { 0 };

    if (!file_make_folder(folder, 0700, &err)) {
        log_error("%s", err.message);
        error_clear(&err);
        return false;
    }
    if (file_is_tmpfs(folder))
        return true;
    if (mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=16m,mode=0700") ==
        0)
        return true;
    log_error("'%s' is not in memory and no tmpfs can be mounted there (%s): work that carries a "
              "secret is refused",
              folder, strerror(errno));
    return false;
}

/* What is there was synced when it was made: a start that waits for no disk is a quick one. */
static bool make_folder(const char *path, mode_t mode, struct error *err)
{
    return file_exists(path) || file_make_folder(path, mode, err);
}

static bool make_folders(const struct config *config, struct error *err)
{
    const struct site *site = &config->site;
    autofree char *instances = xasprintf("%s/instances", site->state_dir);
    autofree char *socket_folder = xstrdup(config->socket);
    char *slash = strrchr(socket_folder, '/');

    if (slash != socket_folder)
        *slash = '\0';
    return make_folder(site->state_dir, 0755, err) && make_folder(instances, 0755, err) &&
           make_folder(site->versions_dir, 0755, err) &&
           make_folder(site->backups_dir, 0700, err) && make_folder(site->run_dir, 0755, err) &&
           make_folder(socket_folder, 0755, err);
}

bool place_take(struct daemon *daemon, struct error *err)
{
    const struct config *config = daemon->config;
    autofree char *secrets = xasprintf("%s/secrets", config->site.run_dir);

    if (!make_folders(config, err))
        return false;
    if (file_is_network(config->site.state_dir)) {
        error_set(err, ERROR_UNSUPPORTED, "'%s' is on a network file system",
                  config->site.state_dir);
        return error_hint(err, "state_dir must be on a local disk");
    }
    if (!take_locks(config, err))
        return false;
    daemon->secrets_safe = make_secrets(secrets);
    return true;
}

void place_leave(const struct daemon *daemon)
{
    autofree char *secrets = xasprintf("%s/secrets", daemon->config->site.run_dir);
    struct error ignored = { 0 };
    char **names = file_names(secrets, &ignored);

    error_clear(&ignored);
    /* Where it is no mount of its own this fails, and nothing is lost. */
    if (names != NULL && names[0] == NULL)
        (void)umount2(secrets, UMOUNT_NOFOLLOW);
    file_free_names(names);
}
