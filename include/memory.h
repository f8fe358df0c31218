/*
 * Allocation that does not fail: when memory runs out the process aborts. systemd restarts the
 * daemon; a lost worker is recovered.
 */
#ifndef DBGUEST_MEMORY_H
#define DBGUEST_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *pointer, size_t size);
/* NULL gives NULL. */
char *xstrdup(const char *string);
char *xstrndup(const char *string, size_t length);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

#endif
