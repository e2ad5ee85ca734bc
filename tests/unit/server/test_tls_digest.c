/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tls_digest.h"

#include <stdio.h>
#include <string.h>

#include "support/suite.h"

/* RFC 4231's cases, as far as a key of 32 bytes can hold them: shorter keys are filled with zeros,
 * which HMAC does by itself. */
static const struct {
    const char *key;
    size_t key_length;
    const char *text;
    const char *digest;
} vectors[] = {
    {"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", 20,
     "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"Jefe", 4, "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
};

START_TEST(test_vectors)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct cleat_digest_key key = {{0}};
        struct cleat_digest digest;
        char hex[2 * CLEAT_DIGEST_BYTES + 1];
        memcpy(key.bytes, vectors[i].key, vectors[i].key_length);
        ck_assert_int_eq(cleat_digest_make(&key, cleat_str_of(vectors[i].text), &digest), 0);
        for (size_t j = 0; j < CLEAT_DIGEST_BYTES; j++)
            snprintf(hex + 2 * j, 3, "%02x", digest.bytes[j]);
        ck_assert_str_eq(hex, vectors[i].digest);
    }
}
END_TEST

START_TEST(test_keys_are_random_and_matter)
{
    struct cleat_digest_key keys[2];
    struct cleat_digest digests[2];
    for (int i = 0; i < 2; i++) {
        cleat_digest_key_make(cleat_clock_system(), &keys[i]);
        ck_assert_int_eq(cleat_digest_make(&keys[i], CLEAT_STR("token"), &digests[i]), 0);
    }
    ck_assert_int_ne(memcmp(&keys[0], &keys[1], sizeof(keys[0])), 0);
    ck_assert_int_ne(memcmp(&digests[0], &digests[1], sizeof(digests[0])), 0);
    ck_assert_int_eq(cleat_digest_make(&keys[1], CLEAT_STR("token"), &digests[0]), 0);
    ck_assert_int_eq(memcmp(&digests[0], &digests[1], sizeof(digests[0])), 0);
    ck_assert_int_eq(cleat_digest_make(&keys[1], CLEAT_STR(""), &digests[0]), 0);
}
END_TEST

CLEAT_SUITE_MAIN("tls_digest", test_vectors, test_keys_are_random_and_matter)
