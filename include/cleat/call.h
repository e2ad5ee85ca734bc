/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a request, the same for whoever sends it and whoever answers it: what ends up in
 * the query (API reference, common parameters) and in DeleteOptions. Plain data, owned by the
 * caller, borrowed for the call.
 */
#ifndef CLEAT_CALL_H
#define CLEAT_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/macro.h>

CLEAT_BEGIN

/** JSON Patch (RFC 6902), merge patch (RFC 7396), strategic merge patch (built-in kinds only),
 * server-side apply. */
enum cleat_patch_type {
    CLEAT_PATCH_JSON,
    CLEAT_PATCH_MERGE,
    CLEAT_PATCH_STRATEGIC,
    CLEAT_PATCH_APPLY
};

/** Options of all verbs; zeroed ones are the defaults. Strings are borrowed for the call. */
struct cleat_client_call {
    int64_t deadline_mono_ms;     /* on the client's clock; 0: the client's timeout from now */
    const char *field_manager;    /* NULL: the client's */
    const char *field_validation; /* "Ignore", "Warn", "Strict"; NULL: the server's default */
    bool dry_run;
    bool force;                 /* apply: take over fields */
    const char *label_selector; /* list, watch, deletecollection; as selector.h writes it */
    const char *field_selector;
    const char *resource_version;       /* get, list, watch; sent back byte for byte */
    const char *resource_version_match; /* list; watch: asks for the initial events as well */
    int64_t limit;                      /* list: page size; 0: the server's choice */
    const char *continue_;
    bool metadata_only; /* get, list, watch, patch: PartialObjectMetadata */
    const char *uid;    /* delete: preconditions */
    const char *precondition_resource_version;
    const char *propagation; /* delete: "Foreground", "Background", "Orphan" */
    int64_t grace_period_s;  /* delete: with set_grace_period */
    bool set_grace_period;
};

CLEAT_END

#endif
