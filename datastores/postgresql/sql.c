#include <stdarg.h>
#include <string.h>

#include "connection.h"
#include "error.h"
#include "scram.h"
#include "text.h"

/* False when it is no valid text. */
static bool add_quoted(struct text *text, PGconn *db, bool identifier, const char *value)
{
    char *quoted = identifier ? PQescapeIdentifier(db, value, strlen(value))
                              : PQescapeLiteral(db, value, strlen(value));

    if (quoted == NULL)
        return false;
    text_add(text, quoted);
    PQfreemem(quoted);
    return true;
}

char *pg_format(PGconn *db, const char *format, ...)
{
    autotext struct text text = { 0 };
    va_list arguments;
    bool good = true;

    text_add(&text, "");
    va_start(arguments, format);
    for (const char *at = format; good && *at != '\0'; at++) {
        if (*at != '%') {
            text_add_bytes(&text, at, 1);
            continue;
        }
        at++;
        if (*at == 'I' || *at == 'L')
            good = add_quoted(&text, db, *at == 'I', va_arg(arguments, const char *));
        else if (*at == 's')
            text_add(&text, va_arg(arguments, const char *));
        else if (*at == 'u')
            text_printf(&text, "%u", va_arg(arguments, unsigned int));
        else
            text_add_bytes(&text, at, 1); /* %% */
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
