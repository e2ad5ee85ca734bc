/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns. Kubernetes matches with Go's RE2, in linear time; here it's PCRE2 with limits, so that
 * no schema can stop the server.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <errno.h>
#include <stdio.h>

#include "apiserver/schema_node.h"
#include "base/mem.h"

#define PATTERN_MATCH_LIMIT 100000
#define PATTERN_DEPTH_LIMIT 1000
#define PATTERN_HEAP_LIMIT_KIB 1024

struct schema_pattern {
    pcre2_code *code;
    pcre2_match_context *context;
};

int schema_pattern_new(const char *text, struct schema_pattern **ret, char why[160])
{
    int error = 0;
    PCRE2_SIZE offset = 0;
    struct schema_pattern *pattern = cleat_mem_zalloc(1, sizeof(*pattern));
    if (!pattern)
        return -ENOMEM;
    pattern->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                                  PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY,
                                  &error, &offset, NULL);
    pattern->context = pcre2_match_context_create(NULL);
    if (!pattern->code || !pattern->context) {
        PCRE2_UCHAR message[120] = "no memory";
        if (!pattern->code)
            (void)pcre2_get_error_message(error, message, sizeof(message)); /* cut where long */
        snprintf(why, 160, "%s at %zu", (const char *)message, (size_t)offset);
        schema_pattern_free(pattern);
        return -EINVAL;
    }
    (void)pcre2_set_match_limit(pattern->context, PATTERN_MATCH_LIMIT);
    (void)pcre2_set_depth_limit(pattern->context, PATTERN_DEPTH_LIMIT);
    (void)pcre2_set_heap_limit(pattern->context, PATTERN_HEAP_LIMIT_KIB);
    *ret = pattern;
    return 0;
}

struct schema_pattern *schema_pattern_free(struct schema_pattern *pattern)
{
    if (!pattern)
        return NULL;
    pcre2_code_free(pattern->code);
    pcre2_match_context_free(pattern->context);
    return cleat_mem_free(pattern);
}

bool schema_pattern_matches(const struct schema_pattern *pattern, struct cleat_str text)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (!data)
        return false;
    int result = pcre2_match(pattern->code, (PCRE2_SPTR)(text.data ? text.data : ""), text.length,
                             0, PCRE2_NO_UTF_CHECK, data, pattern->context);
    pcre2_match_data_free(data);
    return result >= 0;
}
