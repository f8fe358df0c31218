/*
 * Which settings an instance has and why: conf/chosen.json,
 *
 *     {"settings": {asked for}, "memory": {chosen by memory}, "memory_of": bytes of the VM,
 *      "kept": {found in memory only, C20}, "removed": [asked for before]}
 *
 * What was asked for comes before what was kept, that before what was chosen.
 */
#ifndef DBGUEST_REDIS_CHOSEN_H
#define DBGUEST_REDIS_CHOSEN_H

#include <stdbool.h>

struct engine;
struct error;
struct json_object;
struct task;
struct text;

/* Of a conf/ folder; an empty object when there is none yet. The caller owns it. */
struct json_object *chosen_read(const char *conf, struct error *err);
bool chosen_write(const char *conf, struct json_object *chosen, struct error *err);
/* Fills memory{} and memory_of: as before while the VM is the same, else anew. */
void chosen_by_memory(struct task *task, struct json_object *before, struct json_object *chosen);

/* A value as the engine's files write it, unquoted: "yes", "42", "allkeys-lru". Caller frees. */
char *chosen_text(struct json_object *value);
/* What a setting is to be with the gate open; never NULL; the caller frees it. */
char *chosen_value(const struct engine *engine, const char *name);
/* The lines of an object of settings, so quoted that nothing breaks out of its line. */
void chosen_add_lines(struct text *text, struct json_object *settings);
/* Writes conf/kept.conf. */
bool chosen_write_kept(const char *conf, struct json_object *kept, struct error *err);
/* Whether two texts mean the same: "100mb" and "104857600". */
bool chosen_same(const char *one, const char *other);
/* Whether it is known what a setting is when nobody asks for anything. */
bool chosen_has_default(const char *name);
/* Whether a setting takes several words, which CONFIG GET gives in its own order. */
bool chosen_has_words(const char *name);
/* Invalid when a setting is ours or cannot be one. */
bool chosen_allowed(const char *name, struct json_object *value, struct error *err);
/* Whether a setting that somebody changed at run time is to survive a stop. */
extern const char *const chosen_kept_names[]; /* NULL-ended */

#endif
