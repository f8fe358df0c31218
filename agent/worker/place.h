/*
 * An instance's folder and its generations (CRASH.md, layout): reading them, making the next one,
 * switching to it by one rename, and removing what nothing names any more.
 */
#ifndef DBGUEST_PLACE_H
#define DBGUEST_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

struct datastore;
struct engine;
struct error;
struct json_object;
struct site;
struct task;

char *place_folder(const struct site *site, const char *instance);

/* instance.json; NULL with not_found, and the nearest thing to do, when there is no such instance.
 */
struct json_object *place_read(const struct site *site, const char *instance, struct error *err);
/* Sets one member of FOLDER/instance.json, durably; takes over value. */
bool place_set(const char *folder, const char *name, struct json_object *value, struct error *err);
/* Makes FOLDER with instance.json (takes over facts), closed, log/ and data/1/files. */
bool place_make(const char *folder, struct json_object *facts, bool closed, struct error *err);
/* A uid that no other instance and no process has, from the configured range; 0 when none is left.
 */
uid_t place_free_uid(const struct site *site, struct error *err);

/* The engine of generation `number` (0: the one that `current` names); the caller owns it. */
struct engine *place_engine(const struct site *site, const struct datastore *store,
                            const char *folder, int number, struct error *err);
/* The number that `current` names; 0 when there is none. */
int place_current(const char *folder);
/* Which generation to make: of a version and a data folder, with these settings (may be NULL). */
struct place_wanted_generation {
    const char *version;
    int number;
    int data_number;
    struct json_object *settings;
};
/* Makes it with an empty conf/. One that is there is made anew unless it is current. */
bool place_make_generation(const struct site *site, const char *folder, const char *datastore,
                           const struct place_wanted_generation *wanted, struct error *err);
/* One rename of `current`, durable. */
bool place_use(const char *folder, int number, struct error *err);
/* Removes generation `number`, unless it is current; never the data. */
bool place_drop_generation(const char *folder, int number, struct error *err);
/* Removes all generations below `number` but the one before it, and data that none names. */
bool place_tidy(const char *folder, int number, struct error *err);
/* Removes all generations but the current one, and data that none names. */
bool place_release(const char *folder, struct error *err);
int place_data_number(const struct engine *engine);

/* settings.json of the engine's generation; never NULL. */
struct json_object *place_settings(const struct engine *engine);
bool place_write_settings(const struct engine *engine, struct json_object *settings,
                          struct error *err);

bool place_is_closed(const char *folder);
bool place_close(const char *folder, struct error *err);
bool place_reopen(const char *folder, struct error *err);
/*
 * A look by a read at a running engine: a descriptor that keeps a change from going on behind its
 * gate until it is closed; -1 with busy when the instance is closed: then do not connect.
 */
int place_look(const struct engine *engine, struct error *err);
/* After place_close(): waits until nobody looks at task->engine any more. */
bool place_await_looks(struct task *task, struct error *err);

/* Whether the stored wish is that it runs. */
bool place_wanted(const char *folder);
bool place_want(const char *folder, bool running, struct error *err);

#endif
