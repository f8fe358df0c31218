/*
 * One page of a list, written down as JSON while the engine's answer is read: making objects of a
 * thousand rows, printing and freeing them takes longer than all the rest of listing them.
 */
#ifndef DBGUEST_PAGE_H
#define DBGUEST_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "text.h"

struct error;
struct json_object;

struct page {
    const char *marker;        /* names after this in byte order; NULL: from the start */
    size_t limit;              /* rows at most */
    struct json_object *names; /* optional: gets each row's name as a key */
    /* What page_row() and those after it write; starts zeroed. */
    struct text rows; /* objects with commas between them */
    char *last;       /* the last row's name */
    size_t count;
    bool more; /* there was one beyond the limit */
};
void page_done(struct page *page);
#define autopage __attribute__((cleanup(page_done)))

/* Begins a row, until page_end(); false when the page is full. The name is its first member. */
bool page_row(struct page *page, const char *name);
/* Its other members. Keys are ours and need no quoting; a NULL value becomes null. */
void page_string(struct page *page, const char *key, const char *value);
void page_int(struct page *page, const char *key, int64_t value);
void page_bool(struct page *page, const char *key, bool value);
/* A member that is an object of page_pair(), or an array of page_item(), until page_end(). */
void page_object(struct page *page, const char *key);
void page_array(struct page *page, const char *key);
void page_pair(struct page *page, const char *name, const char *value);
void page_item(struct page *page, const char *value, size_t length);
/* Of a row or an object with '}', of an array with ']'. */
void page_end(struct page *page, char bracket);

/* All rows, as the array `key` of object; it can only be printed. */
void page_add_to(struct page *page, struct json_object *object, const char *key);
/* The members of the only row; false when there is none. */
bool page_only_row(struct page *page, struct json_object *object, struct error *err);

#endif
