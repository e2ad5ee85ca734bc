/* SPDX-License-Identifier: Apache-2.0 */
/* Version, commit, and the libraries that it was built with. */
#include <errno.h>
#include <string.h>
#include <cleat/write.h>
#include "base/limits.h"
#include "server/command.h"

struct version_options {
    char *output;
};

static const char *const version_outputs[] = {"text", "json", NULL};

static const struct cleat_flag version_flags[] = {
    {"output", CLEAT_FLAG_TEXT, offsetof(struct version_options, output), "text", version_outputs,
     "FORMAT", "text or json; -o is short for it", true},
    {.name = NULL},
};

static const struct {
    const char *name;
    const char *version;
} version_libraries[] = {CLEAT_BUILT_WITH};

#define VERSION_LIBRARY_COUNT (sizeof(version_libraries) / sizeof(version_libraries[0]))

static void version_text(struct cleat_buffer *text)
{
    (void)cleat_buffer_format(text, "cleat %s\ncommit %s\n", CLEAT_VERSION, CLEAT_COMMIT);
    for (size_t i = 0; i < VERSION_LIBRARY_COUNT; i++)
        (void)cleat_buffer_format(text, "%s %s\n", version_libraries[i].name,
                                  version_libraries[i].version); /* sticky */
}

static void version_json(struct cleat_buffer *text)
{
    (void)cleat_buffer_text(text, "{\"version\":");
    cleat_write_string(text, CLEAT_STR(CLEAT_VERSION));
    (void)cleat_buffer_text(text, ",\"commit\":");
    cleat_write_string(text, CLEAT_STR(CLEAT_COMMIT));
    (void)cleat_buffer_text(text, ",\"libraries\":{");
    for (size_t i = 0; i < VERSION_LIBRARY_COUNT; i++) {
        if (i > 0)
            (void)cleat_buffer_byte(text, ',');
        cleat_write_string(text, cleat_str_of(version_libraries[i].name));
        (void)cleat_buffer_byte(text, ':');
        cleat_write_string(text, cleat_str_of(version_libraries[i].version));
    }
    (void)cleat_buffer_text(text, "}}\n");
}

static int version_run(void *arg, uint64_t given)
{
    struct version_options *options = arg;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(64 * CLEAT_KIB);
    if (strcmp(options->output, "json") == 0)
        version_json(&text);
    else
        version_text(&text);
    int status = cleat_command_print(&text);
    cleat_buffer_fini(&text);
    return status;
}

const char *cleat_command_commit(void)
{
    return CLEAT_COMMIT;
}

const struct cleat_command cleat_command_version = {
    .name = "version",
    .summary = "version, commit and library versions",
    .flags = version_flags,
    .options_size = sizeof(struct version_options),
    .run = version_run,
};
