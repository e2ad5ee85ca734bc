/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubeconfig files, read from memory: nothing may crash, hang or leak, errors are one line. And the
 * YAML below: what is accepted and can be written must read back as the same.
 */
#include <cleat/kubeconfig.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kube/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fuzz_round_trip(void *arg, struct cleat_document *document)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *again = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1u << 24);
    struct cleat_value root = cleat_document_root(document);
    int r = cleat_yaml_write(&text, root, NULL);
    if (r == 0)
        r = cleat_yaml_parse(cleat_buffer_view(&text), &again, NULL);
    /* A root that is null is no document, and what grows beyond the limit isn't read again. */
    if (r == 0 && !cleat_value_equal(root, cleat_document_root(again)))
        abort();
    if (r == -EINVAL && text.length > 0 && cleat_value_type(root) == CLEAT_TYPE_OBJECT)
        abort();
    cleat_buffer_fini(&text);
    return 0;
}

static void fuzz_load(const uint8_t *data, size_t size)
{
    char path[64];
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_kubeconfig *config = NULL;
    int fd = memfd_create("kubeconfig", MFD_CLOEXEC);
    if (fd < 0)
        abort();
    if (write(fd, data, size) == (ssize_t)size) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        struct cleat_kubeconfig_options options = {
            .path = path, .allow_exec = true, .allow_insecure = true};
        int r = cleat_kubeconfig_load(&options, &config, &err);
        if (r < 0 && (!err.text[0] || strchr(err.text, '\n')))
            abort();
        if (r == 0 && (!config->server || !config->namespace_))
            abort();
        cleat_kubeconfig_free(config);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cleat_str text = {(const char *)data, size};
    struct cleat_err err = CLEAT_ERR_INIT;
    if (cleat_yaml_each(text, fuzz_round_trip, NULL, &err) < 0 && !err.text[0])
        abort();
    fuzz_load(data, size);
    return 0;
}
