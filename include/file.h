/*
 * Files that survive: what is written here is written new, synced, renamed, and its folder synced
 * (CRASH.md's words: durable). Nothing here follows a symbolic link in the last part of a path that
 * it is about to remove or replace.
 */
#ifndef DBGUEST_FILE_H
#define DBGUEST_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

/* The whole file, with a NUL after it that length does not count; NULL when it fails. */
char *file_read(const char *path, size_t *length, struct error *err);
/* Its end: at most `most` bytes. */
char *file_read_tail(const char *path, size_t most, struct error *err);
bool file_exists(const char *path);
/* write(2) until all of it is written; on failure errno says why. */
bool file_write_all(int fd, const void *bytes, size_t length);

/* Durable when it returns true. The temporary name is ".NAME.tmp" in the same folder. */
bool file_write(const char *path, const void *bytes, size_t length, mode_t mode, struct error *err);
/* The same with an owner: for files that an engine reads. */
bool file_write_owned(const char *path, const void *bytes, size_t length, mode_t mode, uid_t uid,
                      struct error *err);
/* A symbolic link to target at path, in place of what was there; durable. */
bool file_link(const char *target, const char *path, struct error *err);
/* rename(2) and a sync of both folders. */
bool file_move(const char *from, const char *to, struct error *err);
/* unlink(2) and a sync of the folder; a file that is not there is a success. */
bool file_remove(const char *path, struct error *err);
bool file_sync(const char *path, struct error *err); /* file or folder */
/* Syncs all that lies below a folder: syncfs(2) on it. */
bool file_sync_tree(const char *path, struct error *err);

/* The folder and its missing parents (0755); one that is there keeps its mode. Durable. */
bool file_make_folder(const char *path, mode_t mode, struct error *err);
/* Removes a folder and all in it, crossing neither links nor mounts; nothing there is a success. */
bool file_remove_tree(const char *path, struct error *err);
/* Gives a folder and all in it to uid and gid; links themselves, not what they point to. Of the
 * folder itself it is durable. */
bool file_own_tree(const char *path, uid_t uid, struct error *err);
/* How the files of a tree become another's. */
enum file_copy {
    FILE_CLONE, /* they share blocks until one of them is written to (FICLONE) */
    FILE_COPY,  /* bytes of their own; holes stay holes */
};
struct file_copying {
    enum file_copy how;
    /* Bytes since the last call; false, with err, ends the copying. May be NULL. */
    bool (*tick)(uint64_t bytes, void *context, struct error *err);
    void *context;
};
/*
 * Copies what lies in one folder into another, new or empty, with owners, modes and times, and
 * syncs it. Fails with unsupported, naming it, for a link, a file with two names, or what is no
 * file at all: a copy that shared something with its origin would be none (C15).
 */
bool file_copy_tree(const char *from, const char *to, const struct file_copying *copying,
                    struct error *err);
/* Whether files within a folder can be cloned. */
bool file_can_clone(const char *folder);
/* Bytes that the files below take on the disk. */
uint64_t file_tree_bytes(const char *path);
/* Bytes that may still be written on the file system of path (f_bavail); 0 when unknown. */
uint64_t file_free_bytes(const char *path);
/* Fails with no_space, saying what for, path, needed and free. */
bool file_need_space(const char *path, uint64_t bytes, const char *what, struct error *err);
bool file_is_tmpfs(const char *path);
bool file_is_network(const char *path);

/* The sorted names in a folder, without those that begin with "."; NULL-ended; free with
 * file_free_names. A folder that is not there has none. */
char **file_names(const char *folder, struct error *err);
void file_free_names(char **names);

/*
 * Takes an exclusive flock on path (made if missing), and makes sure afterwards that the file
 * locked is the one that the path names (CRASH.md C14: lock files are never unlinked while others
 * may wait). Returns the descriptor that holds it (close-on-exec); -1 with reason busy when
 * wait is false and somebody has it.
 */
int file_lock(const char *path, bool wait, struct error *err);

#endif
