/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/target.h"

#include "kinds/mirror/consent.h"

bool cleat__mirror_namespace_is_reserved(struct cleat_str name, const char *own_namespace)
{
    return cleat_str_is(name, "kube-system") || cleat_str_is(name, "kube-public") ||
           cleat_str_is(name, "kube-node-lease") || cleat_str_is(name, own_namespace);
}

/* The source can't be a copy of itself. */
static bool target_is_source(const struct mirror_spec *spec, struct cleat_str name)
{
    return cleat_str_equal(name, spec->namespace_) && cleat_str_equal(spec->copy_name, spec->name);
}

static bool target_names(const struct mirror_spec *spec, struct cleat_str name)
{
    return cleat__mirror_list_has(spec->namespaces, name) &&
           !cleat__mirror_list_has(spec->excludes, name) && !target_is_source(spec, name);
}

bool cleat__mirror_target_reaches(const struct mirror_spec *spec,
                                  const struct mirror_namespace *namespace_,
                                  const char *own_namespace)
{
    if (target_names(spec, namespace_->name))
        return true;
    return spec->selector && cleat_selector_matches(spec->selector, namespace_->labels) &&
           !cleat__mirror_namespace_is_reserved(namespace_->name, own_namespace) &&
           !cleat__mirror_list_has(spec->excludes, namespace_->name) &&
           !target_is_source(spec, namespace_->name);
}

enum mirror_target cleat__mirror_target_of(const struct mirror_spec *spec,
                                           const struct mirror_namespace *namespace_,
                                           const char *own_namespace)
{
    if (!cleat__mirror_target_reaches(spec, namespace_, own_namespace))
        return MIRROR_TARGET_NONE;
    if (namespace_->deleting)
        return MIRROR_TARGET_TERMINATING;
    return cleat__mirror_refuses(namespace_->labels) ? MIRROR_TARGET_REFUSED : MIRROR_TARGET_WANTED;
}

struct cleat_str cleat__mirror_target_common(const struct mirror_spec *a,
                                             const struct mirror_spec *b,
                                             struct cleat_scratch *scratch)
{
    for (size_t i = 0; i < cleat_value_count(a->namespaces); i++) {
        struct cleat_str name = cleat_value_text(cleat_value_at(a->namespaces, i), scratch);
        if (target_names(a, name) && target_names(b, name))
            return name;
    }
    return CLEAT_STR("");
}
