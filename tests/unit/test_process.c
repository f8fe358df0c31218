#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "process.h"
#include "unit.h"

/* Runs a line of shell. */
static bool run(const char *line, const struct process_options *options,
                struct process_result *result, struct error *err)
{
    const char *const argv[] = { "sh", "-c", line, NULL };

    return process_run(argv, options, result, err);
}

static pid_t printed_pid(const struct process_result *result)
{
    return (pid_t)strtol(result->output.bytes, NULL, 10);
}

static void test_program_gets_input_and_gives_both_outputs_and_status(void **unused)
{
    struct error err = { 0 };
    struct process_options options = { .input = "hello" };
    autoresult struct process_result result = { 0 };

    (void)unused;
    assert_true(run("cat; echo oops >&2; exit 3", &options, &result, &err));
    assert_string_equal(result.output.bytes, "hello");
    assert_string_equal(result.errors.bytes, "oops\n");
    assert_int_equal(result.status, 3);
}

static void test_program_knows_nothing_of_ours(void **unused)
{
    struct error err = { 0 };
    struct process_options options = { .folder = "/usr", .errors_to_output = true };
    autoresult struct process_result result = { 0 };
    autoclose int left_open = open("/dev/null", O_RDONLY); /* not close-on-exec */

    (void)unused;
    setenv("SECRET", "sesame", 1);
    assert_true(left_open >= 0);
    assert_true(run("pwd; echo $LANG $SECRET; cat; ls /proc/$$/fd", &options, &result, &err));
    assert_string_equal(result.output.bytes, "/usr\nC.UTF-8\n0\n1\n2\n");
    assert_string_equal(result.errors.bytes, "");
}

static void test_signals_are_as_new_in_the_program(void **unused)
{
    struct error err = { 0 };
    autoresult struct process_result result = { 0 };
    sigset_t blocked;

    (void)unused;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    assert_true(
        run("grep -E '^Sig(Blk|Ign)' /proc/self/status; kill -TERM $$", NULL, &result, &err));
    assert_string_equal(result.output.bytes,
                        "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    assert_int_equal(result.status, 128 + SIGTERM);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
}

static void test_program_that_does_not_exist_is_an_error(void **unused)
{
    struct error err = { 0 };
    struct process_options elsewhere = { .folder = "/nonexistent" };
    const char *const argv[] = { "no-such-program", NULL };
    autoresult struct process_result result = { 0 };

    (void)unused;
    assert_false(process_run(argv, NULL, &result, &err));
    assert_int_equal(err.reason, ERROR_INTERNAL);
    assert_string_equal(err.message, "cannot run 'no-such-program': No such file or directory");
    assert_false(run("true", &elsewhere, &result, &err));
}

static void test_program_that_takes_too_long_is_killed_with_its_children(void **unused)
{
    struct error err = { 0 };
    struct process_options options = { .timeout_s = 1 };
    struct process child = { 0 };
    autoresult struct process_result result = { 0 };
    double before_s = process_clock_s();

    (void)unused;
    assert_false(run("sleep 60 & echo $!; wait", &options, &result, &err));
    assert_true(process_clock_s() - before_s < 5);
    assert_string_equal(err.message, "'sh' was stopped after 1 s");
    if (process_find(printed_pid(&result), &child))
        assert_true(process_wait_end(&child, 2000));
}

static bool stop_third(void *context, struct error *err)
{
    int *calls = context;

    if (++*calls < 3)
        return true;
    return error_set(err, ERROR_CANCELLED, "enough");
}

static void test_caller_can_stop_a_program_that_floods_him(void **unused)
{
    struct error err = { 0 };
    int calls = 0;
    struct process_options options = { .tick = stop_third, .context = &calls };
    autoresult struct process_result result = { 0 };

    (void)unused;
    assert_false(run("while :; do echo y; done", &options, &result, &err));
    assert_int_equal(err.reason, ERROR_CANCELLED);
    assert_string_equal(err.message, "enough");
    assert_int_equal(calls, 3);
}

static void test_output_beyond_16_mib_is_dropped(void **unused)
{
    struct error err = { 0 };
    autoresult struct process_result result = { 0 };

    (void)unused;
    assert_true(run("head -c 20000000 /dev/zero", NULL, &result, &err));
    assert_int_equal(result.output.length, 16 * 1024 * 1024);
    assert_int_equal(result.status, 0);
}

static void test_server_left_behind_does_not_hold_us(void **unused)
{
    struct error err = { 0 };
    struct process server = { 0 };
    autoresult struct process_result result = { 0 };
    double before_s = process_clock_s();

    (void)unused;
    assert_true(run("sleep 60 & echo $!", NULL, &result, &err));
    assert_true(process_clock_s() - before_s < 5);
    assert_true(process_find(printed_pid(&result), &server));
    assert_true(process_lives(&server));
    assert_false(process_wait_end(&server, 50));
    assert_true(process_signal(&server, SIGKILL, &err));
    assert_true(process_wait_end(&server, 5000));
}

static void test_checked_program_is_quoted_when_it_fails(void **unused)
{
    struct error err = { 0 };
    const char *const fails[] = { "sh", "-c", "echo one >&2; echo two >&2; exit 4", NULL };
    const char *const works[] = { "true", NULL };
    autoresult struct process_result result = { 0 };

    (void)unused;
    assert_true(process_check(works, NULL, &result, &err));
    assert_false(process_check(fails, NULL, &result, &err));
    assert_string_equal(err.message, "'sh' failed with status 4: two");
    assert_string_equal(err.native, "one\ntwo");
}

static void test_number_used_again_is_another_process(void **unused)
{
    struct process self = { 0 };

    (void)unused;
    assert_true(process_find(getpid(), &self));
    assert_true(process_lives(&self));
    self.start_time++;
    assert_false(process_lives(&self));
    assert_int_equal(process_open(&self), -1);
    assert_true(process_wait_end(&self, 0));
    self.start_time--;
    snprintf(self.boot_id, sizeof(self.boot_id), "another boot");
    assert_false(process_lives(&self));
    assert_false(process_find(0, &self));
}

static void test_zombie_counts_as_none(void **unused)
{
    struct error err = { 0 };
    struct process child = { 0 };
    pid_t pid = fork();

    (void)unused;
    if (pid == 0) {
        pause();
        _exit(0);
    }
    assert_true(process_find(pid, &child));
    assert_true(process_signal(&child, SIGKILL, &err));
    assert_true(process_wait_end(&child, 5000));
    assert_false(process_find(pid, &child));
    assert_true(process_signal(&child, SIGKILL, &err));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_process_survives_the_way_through_json(void **unused)
{
    struct process self = { 0 };
    struct process back = { 0 };

    (void)unused;
    assert_true(process_find(getpid(), &self));
    autoptr(json_object) object = process_to_json(&self);
    assert_true(process_from_json(object, &back));
    assert_true(process_lives(&back));
    json_add_int(object, "pid", 0);
    assert_false(process_from_json(object, &back));
    assert_false(process_from_json(NULL, &back));
}

static void test_stamps_are_utc_with_milliseconds(void **unused)
{
    char stamp[32];

    (void)unused;
    process_stamp_of(1795232578.104, stamp);
    assert_string_equal(stamp, "2026-11-21T03:42:58.104Z");
    process_stamp_of(0, stamp);
    assert_string_equal(stamp, "1970-01-01T00:00:00.000Z");
    process_stamp(stamp);
    assert_int_equal(strlen(stamp), 24);
}

/* What log_info writes with a name that would like to be two lines. */
static char *logged(const char *stream)
{
    struct error err = { 0 };
    autofree char *path = xstrdup("/tmp/dbguest-unit-log-XXXXXX");
    autoclose int fd = mkostemp(path, O_CLOEXEC);
    autoclose int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

    if (stream != NULL)
        setenv("JOURNAL_STREAM", stream, 1);
    else
        unsetenv("JOURNAL_STREAM");
    dup2(fd, STDERR_FILENO);
    log_name("j1 fake");
    log_info("made '%s'", "a\nb\033");
    log_error("alas");
    dup2(before, STDERR_FILENO);

    char *text = file_read(path, NULL, &err);
    unlink(path);
    return text;
}

static void test_log_is_one_line_each_with_level_or_time(void **unused)
{
    autofree char *journal = logged("8:1");
    autofree char *terminal = logged(NULL);

    (void)unused;
    assert_string_equal(journal, "<6>j1 fake: made 'a\\nb\\x1b'\n<3>j1 fake: alas\n");
    assert_int_equal(terminal[2], ':');
    assert_int_equal(terminal[8], '.');
    assert_string_equal(text_last_lines(terminal, 1) + 12, " j1 fake: alas\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_program_gets_input_and_gives_both_outputs_and_status),
        cmocka_unit_test(test_program_knows_nothing_of_ours),
        cmocka_unit_test(test_signals_are_as_new_in_the_program),
        cmocka_unit_test(test_program_that_does_not_exist_is_an_error),
        cmocka_unit_test(test_program_that_takes_too_long_is_killed_with_its_children),
        cmocka_unit_test(test_caller_can_stop_a_program_that_floods_him),
        cmocka_unit_test(test_output_beyond_16_mib_is_dropped),
        cmocka_unit_test(test_server_left_behind_does_not_hold_us),
        cmocka_unit_test(test_checked_program_is_quoted_when_it_fails),
        cmocka_unit_test(test_number_used_again_is_another_process),
        cmocka_unit_test(test_zombie_counts_as_none),
        cmocka_unit_test(test_process_survives_the_way_through_json),
        cmocka_unit_test(test_stamps_are_utc_with_milliseconds),
        cmocka_unit_test(test_log_is_one_line_each_with_level_or_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
