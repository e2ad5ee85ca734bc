/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "json.h"
#include "support/suite.h"
#include "value/place.h"

/* Paths as they are written, which is as a place writes them. */
START_TEST(test_text_is_a_path)
{
    static const char *const rows[] = {
        "a",
        "a.b-c.d_e",
        "$x",
        "a[0]",
        "[3].a",
        "[0][1]",
        "metadata.labels[\"app.kubernetes.io/name\"]",
        "[\"\"]",
        "[\"0a\"].b",
        "a[\"q\\\"\\\\\"]",
        "a[\"\xc3\xa4\"].b",
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_path path;
        struct cleat_place places[4];
        char text[CLEAT_PLACE_TEXT_BYTES_MAX];
        ck_assert_int_eq(cleat_path_parse(rows[i], &path, NULL), 0);
        ck_assert_uint_le(path.count, 4);
        for (size_t j = 0; j < path.count; j++) {
            const struct cleat_path_segment *segment = &path.segments[j];
            const struct cleat_place *up = j ? &places[j - 1] : NULL;
            places[j] = segment->type == CLEAT_SEGMENT_KEY
                            ? cleat_place_member(up, segment->key)
                            : cleat_place_element(up, segment->index);
        }
        ck_assert_str_eq(cleat_place_text(&places[path.count - 1], text), rows[i]);
        ck_assert_str_eq(cleat_place_path_text(&path, path.count, text), rows[i]);
    }
}
END_TEST

START_TEST(test_parts_of_a_path)
{
    struct cleat_path path;
    char text[CLEAT_PLACE_TEXT_BYTES_MAX];

    ck_assert_int_eq(cleat_path_parse("spec.containers[*].image", &path, NULL), 0);
    ck_assert_str_eq(cleat_place_path_text(&path, 4, text), "spec.containers[*].image");
    ck_assert_str_eq(cleat_place_path_text(&path, 99, text), "spec.containers[*].image");
    ck_assert_str_eq(cleat_place_path_text(&path, 3, text), "spec.containers[*]");
    ck_assert_str_eq(cleat_place_path_text(&path, 1, text), "spec");
    ck_assert_str_eq(cleat_place_path_text(&path, 0, text), "the whole value");
    ck_assert_str_eq(cleat_place_text(NULL, text), "the whole value");
}
END_TEST

/* However long: cut within the room, at a character's start, with dots. */
START_TEST(test_cut)
{
    char key[600], text[CLEAT_PLACE_TEXT_BYTES_MAX];

    for (size_t i = 0; i + 3 <= sizeof(key); i += 3)
        memcpy(key + i, "\xe2\x82\xac", 3);
    for (size_t length = 3; length <= sizeof(key); length += 3) {
        struct cleat_place place = cleat_place_member(NULL, (struct cleat_str){key, length});
        struct cleat_document *document;
        struct cleat_buffer quoted = CLEAT_BUFFER_INIT(4096);
        bool cut = length + 4 > CLEAT_PLACE_TEXT_BYTES_MAX - 1;
        size_t written = strlen(cleat_place_text(&place, text));
        ck_assert_uint_lt(written, CLEAT_PLACE_TEXT_BYTES_MAX);
        ck_assert_int_eq(strcmp(text + written - 3, "...") == 0, cut);
        cleat_write_string(&quoted, cleat_str_of(text));
        ck_assert_ptr_null(strstr(quoted.data, "\xef\xbf\xbd")); /* it's still UTF-8 */
        document = json_document(quoted.data);
        cleat_document_unref(document);
        cleat_buffer_fini(&quoted);
    }
}
END_TEST

CLEAT_SUITE_MAIN("place", test_text_is_a_path, test_parts_of_a_path, test_cut)
