/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/str.h>

int cleat_str_compare(struct cleat_str a, struct cleat_str b)
{
    size_t shared = a.length < b.length ? a.length : b.length;
    int order = shared > 0 ? memcmp(a.data, b.data, shared) : 0;
    if (order != 0)
        return order;
    return (a.length > b.length) - (a.length < b.length);
}
