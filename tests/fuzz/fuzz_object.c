/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of other people's making: as a Lease's spec, bound to a struct, as a Mirror with all that
 * its spec is checked for, as a Status.
 */
#include <stdint.h>
#include <string.h>
#include <cleat/binding.h>
#include <cleat/document.h>
#include <cleat/status.h>
#include "base/check.h"
#include "controller/election_record.h"
#include "kinds/mirror/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_bound {
    struct cleat_str text;
    int64_t number;
    bool flag;
    double real;
    struct cleat_value value;
};

static const struct cleat_binding fuzz_bindings[] = {
    CLEAT_BIND(struct fuzz_bound, text, "spec.text", CLEAT_BIND_STR, true),
    CLEAT_BIND(struct fuzz_bound, number, "spec.number", CLEAT_BIND_INT, false),
    CLEAT_BIND(struct fuzz_bound, flag, "spec.flag", CLEAT_BIND_BOOL, false),
    CLEAT_BIND(struct fuzz_bound, real, "spec.real", CLEAT_BIND_DOUBLE, false),
    CLEAT_BIND(struct fuzz_bound, value, "spec.value", CLEAT_BIND_VALUE, false),
};

#define FUZZ_BINDINGS (sizeof(fuzz_bindings) / sizeof(fuzz_bindings[0]))

static void fuzz_bind(struct cleat_value root)
{
    struct fuzz_bound bound;
    struct cleat_binding_scratch scratch = {0};
    struct cleat_err err = CLEAT_ERR_INIT;
    if (cleat_binding_read(fuzz_bindings, FUZZ_BINDINGS, root, &bound, &scratch, &err) == 0)
        cleat_assert(cleat_value_is_str(cleat_value_find(root, "spec.text"), bound.text));
    else
        cleat_assert(err.text[0] && !bound.text.data && bound.number == 0);
    cleat_binding_scratch_fini(&scratch);
}

static void fuzz_record(struct cleat_value root)
{
    struct cleat_election_record record;
    cleat__election_record_read(cleat_value_get(root, "spec"), &record);
    cleat_assert(memchr(record.holder, '\0', sizeof(record.holder)));
}

static void fuzz_mirror(struct cleat_value root)
{
    struct mirror_spec spec;
    struct cleat_err err = CLEAT_ERR_INIT;
    if (cleat__mirror_spec_read(root, &spec, &err) < 0) {
        cleat_assert(err.text[0]);
        return;
    }
    if (cleat__mirror_spec_check(&spec, CLEAT_STR("web"), &err) < 0)
        cleat_assert(err.text[0] && !strchr(err.text, '\n'));
    cleat__mirror_spec_fini(&spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    if (cleat_document_parse((struct cleat_str){(const char *)data, size}, &document, NULL) < 0)
        return 0;
    struct cleat_value root = cleat_document_root(document);
    fuzz_bind(root);
    fuzz_record(root);
    fuzz_mirror(root);
    (void)cleat_status_decode(500, root, false, &err); /* whatever it is */
    cleat_document_unref(document);
    return 0;
}
