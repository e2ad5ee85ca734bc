/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396): applying, and making from a difference.
 */
#ifndef CLEAT_PATCH_H
#define CLEAT_PATCH_H

#include <cleat/buffer.h>
#include <cleat/document.h>
#include <cleat/err.h>
#include <cleat/value.h>

CLEAT_BEGIN

/** Outcomes of applying. */
enum cleat_patch_outcome {
    CLEAT_PATCH_TEST = 1, /* a "test" operation didn't hold (RFC 6902 section 4.6) */
};

/**
 * Applies JSON Patch @patch (an array of operations) to @target. At most 10,000 operations, 3 MiB added by
 * "copy", depth 128. 0, CLEAT_PATCH_TEST, -EINVAL (malformed or a path that isn't there), -E2BIG.
 * @ret is new and shares nothing with @target.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_patch_apply(struct cleat_value target, struct cleat_value patch,
                                                    struct cleat_document **ret, struct cleat_err *err);
/** Applies a merge patch (RFC 7396 section 2): null removes, objects merge, everything else replaces. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_patch_merge(struct cleat_value target, struct cleat_value patch,
                                                    struct cleat_document **ret, struct cleat_err *err);
/**
 * Writes the JSON Patch that makes @to of @from, as text ("[]" where equal). Arrays are compared element by
 * element with a common head and tail. Pointers are escaped (RFC 6901). Returns 0, -ENOBUFS, -ENOMEM, -EINVAL
 * where the difference reaches into what wasn't kept.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_patch_diff(struct cleat_value from, struct cleat_value to,
                                                   struct cleat_buffer *buffer, struct cleat_err *err);
/** Writes the merge patch that makes @to of @from ("{}" where equal); arrays are replaced whole. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_patch_merge_diff(struct cleat_value from, struct cleat_value to,
                                                         struct cleat_buffer *buffer,
                                                         struct cleat_err *err);

CLEAT_END

#endif
