/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "server/flags.h"
#include "support/suite.h"
#include "support/temp_dir.h"

struct options {
    char *address;
    char **kinds;
    bool elect;
    int64_t workers;
    int64_t bytes;
    int64_t period_ms;
    int64_t delay_ms;
    char *format;
    char *config;
};

static const char *const formats[] = {"json", "text", NULL};

static const struct cleat_flag flags[] = {
    {"bind-address", CLEAT_FLAG_TEXT, offsetof(struct options, address), ":1", NULL, "ADDRESS", "h",
     false},
    {"kinds", CLEAT_FLAG_LIST, offsetof(struct options, kinds), "Secret,ConfigMap", NULL, "KIND",
     "h", false},
    {"leader-elect", CLEAT_FLAG_BOOL, offsetof(struct options, elect), "false", NULL, NULL, "h",
     false},
    {"workers", CLEAT_FLAG_NUMBER, offsetof(struct options, workers), "1", NULL, "N", "h", false},
    {"body-bytes", CLEAT_FLAG_BYTES, offsetof(struct options, bytes), "16Mi", NULL, "BYTES", "h",
     false},
    {"period", CLEAT_FLAG_DURATION, offsetof(struct options, period_ms), "15s", NULL, "TIME", "h",
     false},
    {"delay", CLEAT_FLAG_DURATION, offsetof(struct options, delay_ms), NULL, NULL, "TIME", "h",
     false},
    {"log-format", CLEAT_FLAG_TEXT, offsetof(struct options, format), "json", formats, "FORMAT",
     "h", false},
    {"config", CLEAT_FLAG_TEXT, offsetof(struct options, config), NULL, NULL, "FILE", "h", true},
    {.name = NULL},
};

static int parse(struct options *options, const char *first, const char *second,
                 struct cleat_err *err)
{
    uint64_t given = 0;
    char one[128];
    char two[128];
    char *argv[] = {one, two};
    *options = (struct options){0};
    strncpy(one, first ? first : "", sizeof(one) - 1);
    strncpy(two, second ? second : "", sizeof(two) - 1);
    ck_assert_int_eq(cleat_flags_init(flags, options), 0);
    return cleat_flags_parse(flags, second ? 2 : first ? 1 : 0, argv, options, &given, err);
}

START_TEST(test_defaults)
{
    struct options options;
    ck_assert_int_eq(parse(&options, NULL, NULL, NULL), 0);
    ck_assert_str_eq(options.address, ":1");
    ck_assert_str_eq(options.kinds[0], "Secret");
    ck_assert_str_eq(options.kinds[1], "ConfigMap");
    ck_assert_ptr_null(options.kinds[2]);
    ck_assert(!options.elect);
    ck_assert_int_eq(options.bytes, 16 << 20);
    ck_assert_int_eq(options.period_ms, 15000);
    ck_assert_int_eq(options.delay_ms, CLEAT_FLAG_NOT_GIVEN);
    ck_assert_ptr_null(options.config);
    cleat_flags_fini(flags, &options);
    cleat_flags_fini(flags, &options);
}
END_TEST

static const struct {
    const char *first, *second;
    const char *text; /* of the error; NULL: fine */
} arguments[] = {
    {"--leader-elect", NULL, NULL},
    {"--leader-elect=false", NULL, NULL},
    {"--workers", "3", NULL},
    {"--workers=3", NULL, NULL},
    {"--period=500ms", NULL, NULL},
    {"--log-format=text", NULL, NULL},
    {"--leader-elect=yes", NULL, "--leader-elect: \"yes\" isn't true or false"},
    {"--leader-elect", "true", "unexpected argument \"true\""},
    {"--workers=-1", NULL, "--workers: \"-1\" isn't a whole number"},
    {"--workers=99999999999999999999", NULL, "isn't a whole number"},
    {"--workers", NULL, "--workers needs a value"},
    {"--body-bytes=1.5", NULL, "isn't a number of bytes as 16Mi"},
    {"--period=15", NULL, "--period: \"15\" isn't a duration as 15s or 500ms"},
    {"--period=-1s", NULL, "isn't a duration"},
    {"--log-format=xml", NULL, "--log-format: \"xml\" isn't json or text"},
    {"--workrs=3", NULL, "unknown flag --workrs"},
    {"-workers", NULL, "unexpected argument \"-workers\""},
    {"--", NULL, "unexpected argument \"--\""},
    {"serve", NULL, "unexpected argument \"serve\""},
};

START_TEST(test_arguments)
{
    for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++) {
        struct options options;
        struct cleat_err err = CLEAT_ERR_INIT;
        int r = parse(&options, arguments[i].first, arguments[i].second, &err);
        ck_assert_msg(r == (arguments[i].text ? -EINVAL : 0), "%s: %d", arguments[i].first, r);
        ck_assert_msg(!arguments[i].text || strstr(err.text, arguments[i].text), "%s: %s",
                      arguments[i].first, err.text);
        cleat_flags_fini(flags, &options);
    }
}
END_TEST

START_TEST(test_lists_begin_anew_and_grow)
{
    struct options options;
    ck_assert_int_eq(parse(&options, "--kinds= A, B,,", "--kinds=C", NULL), 0);
    ck_assert_str_eq(options.kinds[0], "A");
    ck_assert_str_eq(options.kinds[1], "B");
    ck_assert_str_eq(options.kinds[2], "C");
    ck_assert_ptr_null(options.kinds[3]);
    cleat_flags_fini(flags, &options);
}
END_TEST

START_TEST(test_help_is_an_outcome)
{
    struct options options;
    ck_assert_int_eq(parse(&options, "--nonsense", "--help", NULL), 1);
    cleat_flags_fini(flags, &options);
}
END_TEST

#define HEAD "apiVersion: config.cleat.dev/v1alpha1\nkind: CleatConfig\n"

static const struct {
    const char *yaml;
    const char *text;
} files[] = {
    {HEAD
     "bindAddress: ':2'\nworkers: 4\nleaderElect: true\nkinds: [X]\nbodyBytes: 1Mi\nperiod: 1m\n",
     NULL},
    {HEAD "\nworkrs: 4\n", ":4: unknown key workrs"},
    {HEAD "workers: many\n", ":3: workers: \"many\" isn't a whole number"},
    {HEAD "leaderElect: 'true'\n", ":3: leaderElect: \"true\" isn't true or false"},
    {HEAD "kinds: {a: b}\n", ":3: kinds: \"object\" isn't a list"},
    {HEAD "config: other.yaml\n", ":3: unknown key config"},
    {HEAD "workers: [1]\n", ":3: workers: \"array\" isn't a whole number"},
    {"kind: CleatConfig\n", "not a CleatConfig of config.cleat.dev/v1alpha1"},
    {"a: [", "config.yaml: "},
};

START_TEST(test_config_file)
{
    struct cleat_temp_dir dir;
    cleat_temp_dir_init(&dir);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct options options;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(parse(&options, NULL, NULL, NULL), 0);
        cleat_temp_dir_write(&dir, "config.yaml", files[i].yaml);
        int r =
            cleat_flags_file(flags, cleat_temp_dir_path(&dir, "config.yaml"), 0, &options, &err);
        ck_assert_msg(files[i].text ? r < 0 : r == 0, "case %zu: %d %s", i, r, err.text);
        ck_assert_msg(!files[i].text || strstr(err.text, files[i].text), "case %zu: %s", i,
                      err.text);
        if (!files[i].text) {
            ck_assert_str_eq(options.address, ":2");
            ck_assert_str_eq(options.kinds[0], "X");
            ck_assert_ptr_null(options.kinds[1]);
            ck_assert(options.elect && options.workers == 4);
            ck_assert_int_eq(options.period_ms, 60000);
        }
        cleat_flags_fini(flags, &options);
    }
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_flag_wins_over_the_file)
{
    struct cleat_temp_dir dir;
    struct options options;
    cleat_temp_dir_init(&dir);
    cleat_temp_dir_write(&dir, "c.yaml", HEAD "workers: 4\nperiod: 1m\n");
    ck_assert_int_eq(parse(&options, "--workers=2", NULL, NULL), 0);
    ck_assert_int_eq(
        cleat_flags_file(flags, cleat_temp_dir_path(&dir, "c.yaml"), 1 << 3, &options, NULL), 0);
    ck_assert_int_eq(options.workers, 2);
    ck_assert_int_eq(options.period_ms, 60000);
    cleat_flags_fini(flags, &options);
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_missing_file_is_named)
{
    struct options options;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(parse(&options, NULL, NULL, NULL), 0);
    ck_assert_int_eq(cleat_flags_file(flags, "/nowhere/c.yaml", 0, &options, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/c.yaml: "));
    cleat_flags_fini(flags, &options);
}
END_TEST

CLEAT_SUITE_MAIN("flags", test_defaults, test_arguments, test_lists_begin_anew_and_grow,
                 test_help_is_an_outcome, test_config_file, test_flag_wins_over_the_file,
                 test_missing_file_is_named)
