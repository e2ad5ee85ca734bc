/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Syntax of names: DNS labels and subdomains, label keys and values (apimachinery's validation).
 */
#ifndef CLEAT_NAME_H
#define CLEAT_NAME_H

#include <stdbool.h>
#include <cleat/macro.h>
#include <cleat/str.h>

CLEAT_BEGIN

/** RFC 1123 label: at most 63 of a–z 0–9 -, alphanumeric ends. */
CLEAT_EXPORT bool cleat_name_is_dns_label(struct cleat_str name);
/** RFC 1123 subdomain: labels with dots, at most 253. */
CLEAT_EXPORT bool cleat_name_is_dns_subdomain(struct cleat_str name);
/** Optional subdomain prefix with a slash, then at most 63 of letters, digits, - _ . with
 * alphanumeric ends. */
CLEAT_EXPORT bool cleat_name_is_label_key(struct cleat_str key);
/** At most 63 of letters, digits, - _ . with alphanumeric ends; may be empty. */
CLEAT_EXPORT bool cleat_name_is_label_value(struct cleat_str value);

CLEAT_END

#endif
