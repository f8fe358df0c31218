/*
 * The scanner's own: strings, numbers and words, for scan.c.
 */
#ifndef DBGUEST_DAEMON_SCANNER_H
#define DBGUEST_DAEMON_SCANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct scan;

struct scanner {
    const char *start, *at, *end;
    size_t depth, depth_max;
    struct scan *out;
    struct error *err;
    uint64_t *names; /* hashes of the members' names of all objects that are open */
    size_t count, room;
    uint64_t hash;   /* of the string read last, unescaped */
    bool escaped;    /* whether it had escapes */
    bool versioned;  /* jsonrpc was there */
    bool not_number; /* the number read last fits no C type: nothing against it in an id */
};

/* The first thing that is wrong is told; what is legal JSON is read on, for the id's sake. */
void scanner_blame(struct scanner *scanner, int code, const char *message);
/* What is no JSON ends the reading: always false. */
bool scanner_stop(struct scanner *scanner, const char *message);

/* The byte so many further on; 0 behind the end. */
static inline char scanner_byte(const struct scanner *scanner, ptrdiff_t ahead)
{
    return (char)(ahead < scanner->end - scanner->at ? scanner->at[ahead] : 0);
}

/* Each reads what begins at scanner->at, and leaves that behind it. */
void scanner_space(struct scanner *scanner);
bool scanner_string(struct scanner *scanner);
bool scanner_number(struct scanner *scanner);
bool scanner_word(struct scanner *scanner);

#endif
