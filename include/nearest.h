/*
 * The word that somebody may have meant: for "did you mean" in errors.
 */
#ifndef DBGUEST_NEAREST_H
#define DBGUEST_NEAREST_H

#include <stddef.h>

/* The one of words that is the fewest slips of the keyboard away from word, or NULL when all are
 * too far. Points to the member of words. */
const char *nearest_word(const char *word, const char *const *words, size_t count);

#endif
