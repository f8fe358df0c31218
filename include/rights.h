/* Giving up rights, for good. */
#ifndef DBGUEST_RIGHTS_H
#define DBGUEST_RIGHTS_H

#include <stdbool.h>
#include <sys/types.h>

struct error;

/*
 * Becomes uid (gid is the same number) without other groups, capabilities, or a way to get any. A
 * uid of 0 keeps CAP_DAC_OVERRIDE and nothing else: an engine's folder is closed to others. With
 * chroots CAP_SYS_CHROOT stays, also over exec: for a tool with a second tree.
 */
bool rights_drop(uid_t uid, bool chroots, struct error *err);

#endif
