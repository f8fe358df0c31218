/*
 * Waiting for the end of a process, whoever's child it is.
 */
#ifndef DBGUEST_DAEMON_WATCH_H
#define DBGUEST_DAEMON_WATCH_H

struct daemon;
struct error;
struct process;
struct watch;

/* Starts argv as a session of its own, which outlives us. Calls gone when it has ended. */
struct watch *watch_spawn(struct daemon *daemon, const char *const argv[],
                          void (*gone)(void *context), void *context, struct error *err);
/* Watches a stranger; NULL when it has ended already. */
struct watch *watch_process(struct daemon *daemon, const struct process *process,
                            void (*gone)(void *context), void *context);
/* Watches no more; the process goes on. NULL is accepted. */
void watch_stop(struct watch *watch);

#endif
