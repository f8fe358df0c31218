#include <stdarg.h>
#include <string.h>

#include "connection.h"
#include "error.h"
#include "scram.h"
#include "text.h"

/* Adds one directive's value; false when it is no valid text. */
static bool add_value(struct text *text, PGconn *db, char directive, va_list *arguments)
{
    char *quoted;
    const char *value;

    switch (directive) {
    case 'd':
        text_printf(text, "%d", va_arg(*arguments, int));
        return true;
    case 'u':
        text_printf(text, "%u", va_arg(*arguments, unsigned int));
        return true;
    case 's':
        text_add(text, va_arg(*arguments, const char *));
        return true;
    case 'I':
    case 'L':
        value = va_arg(*arguments, const char *);
        quoted = directive == 'I' ? PQescapeIdentifier(db, value, strlen(value))
                                  : PQescapeLiteral(db, value, strlen(value));
        if (quoted == NULL)
            return false;
        text_add(text, quoted);
        PQfreemem(quoted);
        return true;
    default:
        text_add_bytes(text, &directive, 1); /* %% */
        return true;
    }
}

char *pg_format(PGconn *db, const char *format, ...)
{
    autotext struct text text = { 0 };
    va_list arguments;
    bool good = true;

    text_add(&text, "");
    va_start(arguments, format);
    for (const char *at = format; good && *at != '\0'; at++) {
        size_t plain = strcspn(at, "%");

        text_add_bytes(&text, at, plain);
        at += plain;
        if (*at == '\0')
            break;
        at++;
        good = add_value(&text, db, *at, &arguments);
    }
    va_end(arguments);

    return good ? steal(text.bytes) : NULL;
}

const char *pg_cell(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

int64_t pg_cell_int(const PGresult *rows, int row, int column)
{
    return strtoll(PQgetvalue(rows, row, column), NULL, 10);
}

bool pg_cell_bool(const PGresult *rows, int row, int column)
{
    return *PQgetvalue(rows, row, column) == 't';
}

char *pg_verifier(PGconn *db, const char *user, const char *password, struct error *err)
{
    char *verifier;

    if (*password == '\0') {
        error_set(err, ERROR_INVALID, "a password must not be empty");
        return NULL;
    }
    verifier = scram_verifier(password);
    if (verifier == NULL)
        verifier = PQencryptPasswordConn(db, password, user, "scram-sha-256");
    if (verifier == NULL)
        error_set(err, ERROR_INTERNAL, "cannot make a verifier of the password");
    return verifier;
}
