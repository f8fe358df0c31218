#include "nearest.h"

#include <string.h>

#define WORD_MAX 64

static size_t least(size_t one, size_t other)
{
    return one < other ? one : other;
}

/* Letters put in, left out or mistaken: Levenshtein's distance, by rows. */
static size_t distance(const char *one, const char *other)
{
    size_t one_length = strlen(one);
    size_t other_length = strlen(other);
    size_t row[WORD_MAX + 1];

    if (one_length > WORD_MAX || other_length > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= other_length; j++)
        row[j] = j;
    for (size_t i = 0; i < one_length; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < other_length; j++) {
            size_t mistaken = corner + (one[i] != other[j]);
            corner = row[j + 1];
            row[j + 1] = least(mistaken, least(row[j], corner) + 1);
        }
    }
    return row[other_length];
}

/* How far words may be apart: "mian" is "main", but "a" is not "b". */
static size_t allowed(const char *word)
{
    size_t length = strlen(word);

    if (length < 3)
        return 1;
    return length < 6 ? 2 : 3;
}

const char *nearest_word(const char *word, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t nearest_distance = allowed(word) + 1;

    for (size_t i = 0; i < count; i++) {
        size_t away = distance(word, words[i]);
        if (away < nearest_distance && away < strlen(words[i])) {
            nearest = words[i];
            nearest_distance = away;
        }
    }
    return nearest;
}
