/*
 * Text that may come from anywhere, made safe to print: a database's name cannot paint on the
 * terminal. And colours, which add and never tell.
 */
#ifndef DBGUEST_CLI_SCREEN_H
#define DBGUEST_CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

struct text;

enum paint { PAINT_NONE, PAINT_BOLD, PAINT_GREEN, PAINT_YELLOW, PAINT_RED };

/* Bytes that are no printable characters become \xNN; the caller frees it. */
char *screen_safe(const char *text);
/* Columns that a safe text takes. */
size_t screen_width(const char *safe);
/* A safe text, cut to that many columns with "…" at its end; the caller frees it. */
char *screen_cut(const char *safe, size_t columns);
/* Adds text, padded with spaces to width: at its left when right is set. */
void screen_pad(struct text *out, const char *safe, size_t width, bool right);

/* Adds safe text in a colour, if colour is on. */
void screen_paint(struct text *out, bool color, enum paint paint, const char *safe);
/* The colour of a state or outcome. */
enum paint screen_paint_of(const char *state);
/* Wraps words at columns; lines after the first begin with indent spaces. */
void screen_wrap(struct text *out, const char *text, size_t columns, size_t indent);
/* Columns of a terminal; COLUMNS or 100 where there is none. */
size_t screen_columns(int fd);

#endif
