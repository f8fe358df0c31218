/*
 * Text: a buffer that grows, checks on bytes, words and versions.
 */
#ifndef DBGUEST_TEXT_H
#define DBGUEST_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

/* Starts zeroed; bytes is NULL until something was added, and ends with a NUL from then on. */
struct text {
    char *bytes;
    size_t length;
    size_t room;
};

void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const void *bytes, size_t length);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds UTF-8, with spaces behind it up to so many characters. */
void text_pad(struct text *text, const char *string, size_t characters);
void text_done(struct text *text);
#define autotext __attribute__((cleanup(text_done)))

bool text_is_utf8(const char *bytes, size_t length);
bool text_starts(const char *string, const char *prefix);
bool text_ends(const char *string, const char *suffix);
/* The last lines of text, at most count, without changing it; points into it. */
const char *text_last_lines(const char *text, size_t count);

/*
 * Compares versions as Debian does (deb-version(7), "~" before the end), without epochs: negative,
 * zero or positive. "15.18+deb12u1" is before "15.20+deb12u1".
 */
int text_compare_versions(const char *one, const char *other);

/* Random password of `groups` groups of four from an alphabet without look-alikes; "ab3d-…". */
char *text_make_password(size_t groups);

#endif
