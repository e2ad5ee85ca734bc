/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/kinds.h"

#define NS CLEAT_API_NAMESPACED
#define STATUS CLEAT_API_STATUS
#define SCALE CLEAT_API_SCALE
#define GEN CLEAT_API_GENERATION
#define OVER CLEAT_API_OVERWRITE
#define UPSERT CLEAT_API_UPSERT
#define REVIEW CLEAT_API_REVIEW
#define LABEL CLEAT_API_LABEL_NAMES
#define PATHS CLEAT_API_PATH_NAMES
#define ORPHANS CLEAT_API_ORPHANS

static const struct cleat_api_kind kinds[] = {
#define CLEAT_API_KIND(group, version, kind, plural, singular, shorts, categories, flags) \
    {group, version, kind, plural, singular, shorts, categories, (flags)},
#include "apiserver/kinds.def"
#undef CLEAT_API_KIND
};

const struct cleat_api_kind *cleat_api_kinds(size_t *ret_count)
{
    *ret_count = sizeof(kinds) / sizeof(kinds[0]);
    return kinds;
}
