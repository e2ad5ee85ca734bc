/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396): applying, and making from a difference.
 * Nothing here has state; any thread, nothing blocks.
 *
 *   target + patch ─► apply, merge ─► document            from + to ─► diff, merge_diff ─► buffer
 *
 * For all kept values, applying what diff makes of (from, to) to from gives a value equal to to.
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
    CLEAT_PATCH_TEST =
        1, /* a "test" operation didn't hold (RFC 6902 section 4.6); @err says which */
};

/**
 * Applies JSON Patch @patch, an array of operations, to @target: all of them or none (RFC 6902
 * section 5). Bounds: 10,000 operations, 3 MiB of JSON text added by "copy" (both as the API
 * server's), depth 128, the size of a document. A "test" of something that isn't there doesn't
 * hold. The time it takes grows with the target and the patch, not with their product. Returns 0,
 * CLEAT_PATCH_TEST, -EINVAL (malformed, a path that isn't there, a value moved into itself, a
 * target or a path into what the projection didn't keep), -E2BIG, -ENOMEM; @err names the operation
 * by its index.
 * @ret is new and shares nothing with @target or @patch.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_patch_apply(struct cleat_value target,
                                                    struct cleat_value patch,
                                                    struct cleat_document **ret,
                                                    struct cleat_err *err);
/**
 * Applies a merge patch (RFC 7396 section 2): null removes, objects merge, everything else
 * replaces. Returns 0, -EINVAL where a value is absent or wasn't kept, -E2BIG, -ENOMEM. @ret is new
 * and shares nothing with either.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_patch_merge(struct cleat_value target,
                                                    struct cleat_value patch,
                                                    struct cleat_document **ret,
                                                    struct cleat_err *err);
/**
 * Appends the JSON Patch that makes @to of @from, as text ("[]" where equal; numbers are compared
 * by value). What both share is skipped without a look. A map that @from lacks is added as one
 * value. Arrays are compared element by element with a common head and tail, surplus elements
 * removed from the end. Pointers are escaped (RFC 6901 section 3). Returns 0, -ENOBUFS, -ENOMEM,
 * -E2BIG for nesting beyond 128, and -EINVAL with the path where a value is absent, where @to holds
 * what wasn't kept and @from doesn't hold the same in that place, or where elements that hold such
 * parts would move. What wasn't kept in @from may be replaced or removed. On a failure @buffer
 * holds what it held.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_patch_diff(struct cleat_value from, struct cleat_value to,
                                                   struct cleat_buffer *buffer,
                                                   struct cleat_err *err);
/**
 * Appends the merge patch that makes @to of @from ("{}" where two objects are equal); arrays are
 * replaced whole, as RFC 7396 has no other way. Fails as cleat_patch_diff, and with -EINVAL and the
 * path where a member of @to that has to be set is null, or where an object takes the place of what
 * wasn't kept: a merge patch can't say either.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_patch_merge_diff(struct cleat_value from,
                                                         struct cleat_value to,
                                                         struct cleat_buffer *buffer,
                                                         struct cleat_err *err);

CLEAT_END

#endif
