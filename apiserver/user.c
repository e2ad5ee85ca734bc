/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/user.h"

#include <cleat/write.h>
#include <errno.h>

#include "base/mem.h"

int cleat_api_user_new(struct cleat_str name, struct cleat_str uid, struct cleat_api_user **ret)
{
    struct cleat_api_user *user = cleat_mem_zalloc(1, sizeof(*user));
    if (!user)
        return -ENOMEM;
    atomic_init(&user->refs, 1);
    user->name = cleat_mem_strndup(name.data ? name.data : "", name.length);
    user->uid = cleat_mem_strndup(uid.data ? uid.data : "", uid.length);
    if (!user->name || !user->uid) {
        (void)cleat_api_user_unref(user);
        return -ENOMEM;
    }
    *ret = user;
    return 0;
}

struct cleat_api_user *cleat_api_user_ref(struct cleat_api_user *user)
{
    atomic_fetch_add_explicit(&user->refs, 1, memory_order_relaxed);
    return user;
}

struct cleat_api_user *cleat_api_user_unref(struct cleat_api_user *user)
{
    if (!user || atomic_fetch_sub_explicit(&user->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    for (size_t i = 0; i < user->group_count; i++)
        cleat_mem_free(user->groups[i]);
    for (size_t i = 0; i < user->extra_count; i++) {
        cleat_mem_free(user->extra_keys[i]);
        cleat_mem_free(user->extra_values[i]);
    }
    cleat_mem_free(user->name);
    cleat_mem_free(user->uid);
    return cleat_mem_free(user);
}

int cleat_api_user_add_group(struct cleat_api_user *user, struct cleat_str group)
{
    if (user->group_count == CLEAT_API_GROUPS_MAX)
        return -ENOBUFS;
    char *copy = cleat_mem_strndup(group.data, group.length);
    if (!copy)
        return -ENOMEM;
    user->groups[user->group_count++] = copy;
    return 0;
}

int cleat_api_user_add_extra(struct cleat_api_user *user, struct cleat_str key,
                             struct cleat_str value)
{
    if (user->extra_count == CLEAT_API_EXTRA_MAX)
        return -ENOBUFS;
    char *key_copy = cleat_mem_strndup(key.data, key.length);
    char *value_copy = cleat_mem_strndup(value.data, value.length);
    if (!key_copy || !value_copy) {
        cleat_mem_free(key_copy);
        cleat_mem_free(value_copy);
        return -ENOMEM;
    }
    user->extra_keys[user->extra_count] = key_copy;
    user->extra_values[user->extra_count++] = value_copy;
    return 0;
}

bool cleat_api_user_in(const struct cleat_api_user *user, const char *group)
{
    for (size_t i = 0; i < user->group_count; i++)
        if (strcmp(user->groups[i], group) == 0)
            return true;
    return false;
}

static bool user_extra_seen(const struct cleat_api_user *user, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(user->extra_keys[i], user->extra_keys[index]) == 0)
            return true;
    return false;
}

/* "key":["value",…] with every value of the key at @index. */
static void user_write_extra(const struct cleat_api_user *user, size_t index,
                             struct cleat_buffer *buffer)
{
    cleat_write_string(buffer, cleat_str_of(user->extra_keys[index]));
    const char *separator = ":[";
    for (size_t i = index; i < user->extra_count; i++) {
        if (strcmp(user->extra_keys[i], user->extra_keys[index]) != 0)
            continue;
        cleat_buffer_text(buffer, separator);
        cleat_write_string(buffer, cleat_str_of(user->extra_values[i]));
        separator = ",";
    }
    cleat_buffer_byte(buffer, ']');
}

void cleat_api_user_write(const struct cleat_api_user *user, struct cleat_buffer *buffer)
{
    cleat_buffer_text(buffer, "{\"username\":");
    cleat_write_string(buffer, cleat_str_of(user->name));
    if (user->uid[0]) {
        cleat_buffer_text(buffer, ",\"uid\":");
        cleat_write_string(buffer, cleat_str_of(user->uid));
    }
    const char *separator = ",\"groups\":[";
    for (size_t i = 0; i < user->group_count; i++) {
        cleat_buffer_text(buffer, separator);
        cleat_write_string(buffer, cleat_str_of(user->groups[i]));
        separator = ",";
    }
    if (user->group_count)
        cleat_buffer_byte(buffer, ']');
    separator = ",\"extra\":{";
    for (size_t i = 0; i < user->extra_count; i++) {
        if (user_extra_seen(user, i))
            continue;
        cleat_buffer_text(buffer, separator);
        user_write_extra(user, i, buffer);
        separator = ",";
    }
    cleat_buffer_text(buffer, user->extra_count ? "}}" : "}");
}
