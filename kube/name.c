/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/name.h>

#define NAME_LABEL_BYTES_MAX 63
#define NAME_SUBDOMAIN_BYTES_MAX 253

static bool name_is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool name_is_alnum(char c)
{
    return name_is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* A label without regard to its length, which must not be 0. */
static bool name_is_label_shape(const char *data, size_t length)
{
    if (length == 0 || !name_is_lower_alnum(data[0]) || !name_is_lower_alnum(data[length - 1]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!name_is_lower_alnum(data[i]) && data[i] != '-')
            return false;
    return true;
}

bool cleat_name_is_dns_label(struct cleat_str name)
{
    return name.length <= NAME_LABEL_BYTES_MAX && name_is_label_shape(name.data, name.length);
}

bool cleat_name_is_dns_subdomain(struct cleat_str name)
{
    if (name.length == 0 || name.length > NAME_SUBDOMAIN_BYTES_MAX)
        return false;
    size_t start = 0;
    for (size_t i = 0; i <= name.length; i++) {
        if (i < name.length && name.data[i] != '.')
            continue;
        if (!name_is_label_shape(name.data + start, i - start))
            return false;
        start = i + 1;
    }
    return true;
}

/* At most 63 of letters, digits, - _ . with alphanumeric ends, not empty. */
static bool name_is_qualified(struct cleat_str name)
{
    if (name.length == 0 || name.length > NAME_LABEL_BYTES_MAX)
        return false;
    if (!name_is_alnum(name.data[0]) || !name_is_alnum(name.data[name.length - 1]))
        return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        if (!name_is_alnum(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

bool cleat_name_is_label_key(struct cleat_str key)
{
    const char *slash = key.length ? memchr(key.data, '/', key.length) : NULL;
    if (!slash)
        return name_is_qualified(key);
    struct cleat_str prefix = {key.data, (size_t)(slash - key.data)};
    struct cleat_str name = {slash + 1, key.length - prefix.length - 1};
    return cleat_name_is_dns_subdomain(prefix) && name_is_qualified(name);
}

bool cleat_name_is_label_value(struct cleat_str value)
{
    return value.length == 0 || name_is_qualified(value);
}
