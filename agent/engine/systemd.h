/* An engine as the systemd unit NAME@INSTANCE.service; engine.h has the contract. */
#ifndef DBGUEST_ENGINE_SYSTEMD_H
#define DBGUEST_ENGINE_SYSTEMD_H

#include <stdbool.h>

struct engine;
struct error;
struct process;

bool systemd_start(const struct engine *engine, bool permit, struct process *out,
                   struct error *err);
/* Asks for the stop and does not wait; the unit's ExecStop sends the stop signal. */
bool systemd_stop(const struct engine *engine, struct error *err);
bool systemd_enable(const struct engine *engine, bool enable, struct error *err);

#endif
