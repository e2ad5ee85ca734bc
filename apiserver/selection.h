/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a list or watch selects: a namespace, labels, fields.
 */
#ifndef CLEAT_APISERVER_SELECTION_H
#define CLEAT_APISERVER_SELECTION_H

#include <cleat/selector.h>
#include "apiserver/request.h"

struct cleat_api_selection {
    char namespace_[256];                /* "": all */
    char name[256];                      /* of metadata.name=…; "": any */
    struct cleat_selector *labels;       /* NULL: everything */
    struct cleat_field_selector *fields; /* NULL: everything; without metadata.name and namespace */
};

#define CLEAT_API_SELECTION_INIT \
    {                            \
        {                        \
            0                    \
        }                        \
    }

/** Reads the selectors of @request. 400 for what isn't supported. */
int cleat_api_selection_init(struct cleat_api_selection *selection,
                             const struct cleat_api_request *request,
                             struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
void cleat_api_selection_fini(struct cleat_api_selection *selection);
/** True where @record is selected. What can't be read isn't. */
bool cleat_api_selection_matches(const struct cleat_api_selection *selection,
                                 const struct cleat_api_record *record);
/** True where only the namespace restricts. */
bool cleat_api_selection_is_simple(const struct cleat_api_selection *selection);

#endif
