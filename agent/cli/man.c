/* Prints dbguestctl.1 from the method table; a tool of the build, not installed. */
#include <ctype.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "document.h"
#include "error.h"
#include "help.h"
#include "json.h"
#include "memory.h"
#include "text.h"

static const char head[] =
    ".TH DBGUESTCTL 1 \"\" \"dbguest " DBGUEST_VERSION "\" \"dbguest\"\n"
    ".SH NAME\n"
    "dbguestctl \\- run the databases of this machine\n"
    ".SH SYNOPSIS\n"
    ".B dbguestctl\n"
    "NOUN VERB [ARGUMENT...] [\\-\\-OPTION ...]\n"
    ".br\n"
    ".B dbguestctl\n"
    "watch | call METHOD JSON | completion bash\n"
    ".SH DESCRIPTION\n"
    "dbguestctl speaks to\n"
    ".BR dbguestd (8)\n"
    "on its socket: instances of database engines, their versions, databases, users and backups, "
    "and "
    "the jobs that change them.\n"
    "The result goes to standard output, all else to standard error. Where standard output is no "
    "terminal, lists are one header line and tab-separated full values.\n"
    ".PP\n"
    "Going away harms nothing: Ctrl-C leaves the job running. What cannot be taken back asks for "
    "the "
    "name again. Passwords are asked for, or read from standard input; no option carries one.\n"
    ".SH OPTIONS\n"
    ".TP\n\\fB\\-\\-json\\fR\nPrint the result as it came.\n"
    ".TP\n\\fB\\-\\-wide\\fR\nPrint all columns of a table, however narrow the terminal.\n"
    ".TP\n\\fB\\-\\-quiet\\fR\nNeither progress nor the sentence of success.\n"
    ".TP\n\\fB\\-\\-progress\\fR auto|plain|json|none\nHow progress is told.\n"
    ".TP\n\\fB\\-\\-socket\\fR PATH\nThe daemon's socket.\n"
    ".TP\n\\fB\\-\\-no\\-color\\fR\nNo colours.\n"
    ".TP\n\\fB\\-\\-version\\fR\nPrint the version.\n"
    ".TP\n\\fB\\-\\-help\\fR, \\fB\\-h\\fR\nHelp, at each level.\n"
    ".PP\nEvery change also takes\n"
    ".TP\n\\fB\\-\\-detach\\fR\nPrint the job's name and do not wait.\n"
    ".TP\n\\fB\\-\\-no\\-queue\\fR\nFail with busy rather than wait for a turn.\n"
    ".TP\n\\fB\\-\\-deadline\\-s\\fR N\nGive up after so many seconds.\n"
    ".PP\nObjects and arrays are given by a repeated option (\\-\\-settings work_mem=8MB), as "
    "JSON, as "
    "@FILE, or as - (standard input).\n";

static const char tail[] =
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBDBGUEST_SOCKET\\fR\nThe socket, where \\-\\-socket does not name it.\n"
    ".TP\n\\fBNO_COLOR\\fR\nNo colours.\n"
    ".TP\n\\fBTZ\\fR\nThe zone of the times shown.\n"
    ".SH FILES\n"
    ".TP\n\\fI/run/dbguest/dbguest.sock\\fR\nThe daemon's socket.\n"
    ".TP\n\\fI~/.cache/dbguest/\\fR\nMethod tables of daemons that know more than this program.\n"
    ".SH SEE ALSO\n"
    ".BR dbguestd (8),\n"
    ".BR dbguest.conf (5)\n";

/* Backslashes, dashes and a dot at the start mean something to roff. */
static void add_roff(struct text *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        text_add(out, "\\&");
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            text_add(out, "\\e");
        else if (*text == '-')
            text_add(out, "\\-");
        else
            text_add_bytes(out, text, 1);
    }
}

static void add_option(const struct document *document, const struct command *command, size_t index,
                       struct text *out)
{
    autotext struct text name = { 0 };
    autotext struct text line = { 0 };

    help_option_name(command, index, &name);
    help_option(document, command, index, &line);
    text_add(out, ".TP\n\\fB");
    add_roff(out, name.bytes);
    text_add(out, "\\fR\n");
    add_roff(out, line.bytes != NULL ? line.bytes : "");
    text_add(out, "\n");
}

static void add_command(const struct document *document, const struct command *command,
                        struct text *out)
{
    struct json_object *examples = json_get(command->method, "x-examples");
    autotext struct text usage = { 0 };

    help_usage(command, &usage);
    text_add(out, ".SS ");
    add_roff(out, usage.bytes);
    text_add(out, "\n");
    add_roff(out, json_get_string(command->method, "summary"));
    text_printf(out, "\nRole %s.", json_get_string(command->method, "x-role"));
    help_reasons(command, out);
    text_add(out, "\n");
    for (size_t i = 0; i < command->count; i++)
        if (!command->options[i].common)
            add_option(document, command, i, out);
    text_add(out, ".PP\n.nf\n");
    for (size_t i = 0; examples != NULL && i < json_object_array_length(examples); i++) {
        text_add(out, "dbguestctl ");
        add_roff(out, json_object_get_string(json_object_array_get_idx(examples, i)));
        text_add(out, "\n");
    }
    text_add(out, ".fi\n");
}

static void add_commands(const struct document *document, struct text *out)
{
    struct command *command = NULL;

    text_add(out, ".SH COMMANDS\n");
    for (size_t i = 0; (command = document_command(document, i)) != NULL; i++) {
        if (command_is_shown(command))
            add_command(document, command, out);
        command_free(command);
    }
}

/* What has no method of its own, as its help has it. */
static void add_others(struct text *out)
{
    static const char *const others[] = { "watch", "call METHOD JSON", "completion bash" };

    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        autofree char *word = xstrndup(others[i], strcspn(others[i], " "));
        autotext struct text help = { 0 };
        help_other(word, &help);
        text_printf(out, ".SS %s\n.nf\n", others[i]);
        /* The usage is the heading already. */
        add_roff(out, strchr(help.bytes, '\n') + 1);
        text_add(out, ".fi\n");
    }
}

static void add_exit_codes(const struct document *document, struct text *out)
{
    struct json_object *errors = json_get(json_get(document->root, "components"), "errors");

    text_add(out, ".SH EXIT STATUS\nThe reason of an error decides.\n.TP\n0\ndone\n");
    for (int i = ERROR_NONE + 1; i < ERROR_REASONS; i++) {
        enum error_reason reason = (enum error_reason)i;
        text_printf(out, ".TP\n%d\n\\fB%s\\fR: ", i, error_word(reason));
        add_roff(out, json_get_string(json_get(errors, error_word(reason)), "message"));
        text_add(out, error_retryable(reason) ? " (trying again may work)\n" : "\n");
    }
    text_add(out, ".TP\n20\nno daemon at the socket\n.TP\n130\nCtrl\\-C\n");
}

int main(void)
{
    autoptr(document) document = document_linked();
    autotext struct text out = { 0 };

    (void)setlocale(LC_CTYPE, "C.UTF-8");
    text_add(&out, head);
    add_commands(document, &out);
    add_others(&out);
    add_exit_codes(document, &out);
    text_add(&out, tail);
    return fputs(out.bytes, stdout) < 0 || fflush(stdout) != 0 ? 1 : 0;
}
