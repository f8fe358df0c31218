/* Prints what the build makes of the method table: docs/protocol.md, the OpenRPC document. */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "method.h"
#include "text.h"

static int usage(void)
{
    (void)fputs("usage: document protocol|openrpc\n", stderr);
    return 2;
}

static int print(const char *text)
{
    return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? 1 : 0;
}

int main(int count, char **words)
{
    if (count == 2 && strcmp(words[1], "protocol") == 0) {
        autotext struct text text = { 0 };
        protocol_document(&text);
        return print(text.bytes);
    }
    if (count == 2 && strcmp(words[1], "openrpc") == 0) {
        autoptr(json_object) document = openrpc_document();
        return print(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PRETTY |
                                                                  JSON_C_TO_STRING_NOSLASHESCAPE));
    }
    return usage();
}
