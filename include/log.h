/*
 * One line each: who, what, outcome; to stderr, which is the journal under systemd. There the line
 * carries its level as "<6>" (sd-daemon(3)); on a terminal or in a file, the time. Never a secret.
 */
#ifndef DBGUEST_LOG_H
#define DBGUEST_LOG_H

/* Who speaks: put before every line, as "dbguestd" or "j184 postgresql". Copied. */
void log_name(const char *name);

/* What an operator wants to read tomorrow. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What needs a person. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
