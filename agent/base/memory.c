#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *pointer)
{
    if (pointer == NULL)
        abort();
    return pointer;
}

/* malloc(0) may give NULL, which would look like memory that has run out. */
static size_t at_least_one(size_t size)
{
    return size > 0 ? size : 1;
}

void *xmalloc(size_t size)
{
    return checked(malloc(at_least_one(size)));
}

void *xcalloc(size_t count, size_t size)
{
    return checked(calloc(at_least_one(count), at_least_one(size)));
}

void *xrealloc(void *pointer, size_t size)
{
    return checked(realloc(pointer, at_least_one(size)));
}

char *xstrdup(const char *string)
{
    if (string == NULL)
        return NULL;
    return checked(strdup(string));
}

char *xstrndup(const char *string, size_t length)
{
    if (string == NULL)
        return NULL;
    return checked(strndup(string, length));
}

char *xasprintf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    char *string = xvasprintf(format, arguments);
    va_end(arguments);
    return string;
}

char *xvasprintf(const char *format, va_list arguments)
{
    char *string = NULL;

    if (vasprintf(&string, format, arguments) < 0)
        abort();
    return string;
}
