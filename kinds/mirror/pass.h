/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over one Mirror: what should be, against what is, and the writes in between. On the
 * worker that has the Mirror's key.
 */
#ifndef CLEAT_KINDS_MIRROR_PASS_H
#define CLEAT_KINDS_MIRROR_PASS_H

#include <cleat/controller.h>
#include "kinds/mirror/copy.h"
#include "kinds/mirror/feeds.h"
#include "kinds/mirror/state.h"
#include "kinds/mirror/status.h"
#include "kinds/mirror/target.h"

#define MIRROR_WRITES_MAX 200 /* of one pass; the rest comes with the next */
#define MIRROR_AGAIN_MS 60000 /* what is refused or in the way is looked at again */
#define MIRROR_SOON_MS 500    /* what is under way */
#define MIRROR_SEEN_MS 2000   /* one's own writes are waited for so long */

/* Another Mirror that writes objects of the same kind and name. */
struct mirror_rival {
    struct cleat_object *object; /* owned reference */
    struct mirror_spec spec;
    bool older;
};

struct mirror_place {
    char namespace_[64];
};

struct mirror_pass {
    struct cleat_mirror *mirror;
    const struct cleat_context *context;
    struct cleat_object *object; /* the Mirror; owned reference */
    struct mirror_spec spec;
    struct cleat_resource resource; /* of source and copies */
    struct mirror_held held;
    struct mirror_marks marks;
    struct mirror_content content;
    struct cleat_object *source; /* owned reference; NULL where it's missing */
    struct mirror_rival *rivals;
    size_t rival_count, rival_capacity;
    struct mirror_place *places; /* sorted: namespaces that should hold a copy */
    size_t place_count, place_capacity;
    struct mirror_tally tally;
    size_t writes;
    int64_t again_ms;          /* 0: not by itself */
    bool denied;               /* a write was answered 403 */
    bool unanswered;           /* a call got no answer: the rest waits for the next pass */
    int failed;                /* the first failure that passes by itself; 0: none */
    struct cleat_err error;    /* of @failed */
    struct cleat_object *last; /* what was written last; owned reference */
};

/** Frees what the pass holds. */
void cleat__mirror_pass_fini(struct mirror_pass *pass);
/** Asks for another pass in @ms at the latest. */
void cleat__mirror_pass_again(struct mirror_pass *pass, int64_t ms);
/** Finds the rivals. */
int cleat__mirror_pass_rivals(struct mirror_pass *pass, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Finds the places that should hold a copy, and counts those that can't. */
int cleat__mirror_pass_places(struct mirror_pass *pass, struct cleat_err *err) CLEAT_MUST_CHECK;
/** True where @namespace_ should hold a copy. */
bool cleat__mirror_pass_wants(const struct mirror_pass *pass, struct cleat_str namespace_);
/** The older Mirror that reaches @namespace_ too, or NULL. 0 or -ENOMEM: then nobody knows. */
int cleat__mirror_pass_elder(const struct mirror_pass *pass, struct cleat_str namespace_,
                             const struct mirror_rival **ret) CLEAT_MUST_CHECK;
/** True where no more may be written in this pass: the rest is under way. */
bool cleat__mirror_pass_is_full(const struct mirror_pass *pass);
/** Makes, mends or reports the copy in @namespace_, and counts it. */
void cleat__mirror_put(struct mirror_pass *pass, struct cleat_str namespace_);
/** Removes our copies that should not be: all of them with @all. */
int cleat__mirror_sweep(struct mirror_pass *pass, const struct mirror_held *held, bool all,
                        struct cleat_err *err) CLEAT_MUST_CHECK;
/** Notes a write that failed, or one that was overtaken. */
void cleat__mirror_note_failure(struct mirror_pass *pass, struct cleat_str namespace_, int code,
                                const struct cleat_err *err);

#endif
