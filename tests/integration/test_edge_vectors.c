/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/cases/edge/vectors.txt against a real server: plain and over TLS, whole, byte by byte and
 * in small pieces. How the bytes arrive may change nothing. Of each vector the statuses are
 * compared, what becomes of the connection, and that nothing was served but what was answered.
 */
#include <microhttpd.h>
#include <poll.h>

#include <cleat/buffer.h>

#include "integration/server_fixture.h"
#include "support/fake_clock.h"

#define VECTORS_LEAST 300
#define VECTOR_LINE_BYTES 8192
#define VECTOR_BYTES_MAX ((size_t)1 * CLEAT_MIB)
#define ANSWERS_MAX 4
#define BYTEWISE_MAX 2000 /* longer ones would only take long */
#define PATIENCE 1000     /* looks of up to 20 ms each */

/* PAGE: closed by a page of libmicrohttpd's own; 0.9.75 sends more of it than it announces. */
enum vector_end { END_KEEP, END_CLOSE, END_PAGE, END_DEADLINE };

struct vector {
    char line[VECTOR_LINE_BYTES];
    const char *name;
    int statuses[ANSWERS_MAX];
    size_t count;
    enum vector_end end;
    struct cleat_buffer bytes;
    bool eof; /* the client ends its half behind them */
};

static struct cleat_fake_clock fake;
static unsigned failures;

/* ---- reading the file ---- */

/* "200,400 close", or behind the slash what is expected of libmicrohttpd 1.x. */
static void vector_parse_want(struct vector *vector, char *want)
{
    char *later = strchr(want, '/');
    if (later)
        *later++ = '\0';
    if (later && MHD_VERSION >= 0x00097701)
        want = later;
    vector->count = 0;
    while (*want >= '0' && *want <= '9') {
        ck_assert_uint_lt(vector->count, ANSWERS_MAX);
        vector->statuses[vector->count++] = (int)strtol(want, &want, 10);
        want += *want == ',';
    }
    if (strncmp(want, "none", 4) == 0)
        want += 4;
    want += strspn(want, " ");
    vector->end = strncmp(want, "keep", 4) == 0       ? END_KEEP
                  : strncmp(want, "deadline", 8) == 0 ? END_DEADLINE
                  : strncmp(want, "page", 4) == 0     ? END_PAGE
                                                      : END_CLOSE;
}

static void add(struct vector *vector, const char *text)
{
    ck_assert_int_eq(cleat_buffer_text(&vector->bytes, text), 0);
}

static void expand(struct vector *vector, const char *text, size_t length, const char *review);

/* {rep:TEXT:COUNT} */
static void expand_repetition(struct vector *vector, const char *inner, size_t length,
                              const char *review)
{
    const char *text = inner + strlen("rep:"), *colon = inner + length;
    while (*--colon != ':')
        continue;
    for (long i = strtol(colon + 1, NULL, 10); i > 0; i--)
        expand(vector, text, (size_t)(colon - text), review);
}

/* What stands in braces. */
static void expand_brace(struct vector *vector, const char *inner, size_t length,
                         const char *review)
{
    char number[32], name[16];
    size_t bytes = strlen(review);
    if (strncmp(inner, "rep:", 4) == 0) {
        expand_repetition(vector, inner, length, review);
        return;
    }
    ck_assert_uint_lt(length, sizeof(name));
    (void)snprintf(name, sizeof(name), "%.*s", (int)length, inner);
    (void)snprintf(number, sizeof(number), strcmp(name, "H16") == 0 ? "%zx" : "%zu",
                   strcmp(name, "N+1") == 0   ? bytes + 1
                   : strcmp(name, "N-1") == 0 ? bytes - 1
                                              : bytes);
    if (strcmp(name, "post") == 0)
        add(vector, "POST /allow HTTP/1.1\r\n");
    else if (strcmp(name, "H") == 0)
        add(vector, HOST);
    else if (strcmp(name, "J") == 0)
        add(vector, JSON);
    else if (strcmp(name, "E") == 0)
        add(vector, "\r\n");
    else if (strcmp(name, "R") == 0)
        add(vector, review);
    else if (strcmp(name, "next") == 0)
        add(vector, "GET /readyz/good HTTP/1.1\r\n" HOST "\r\n");
    else if (strcmp(name, "eof") == 0)
        vector->eof = true;
    else if (strcmp(name, "L") == 0)
        ck_assert_int_eq(cleat_buffer_format(&vector->bytes, "Content-Length: %s\r\n", number), 0);
    else if (name[0] == 'N' || strcmp(name, "H16") == 0)
        add(vector, number);
    else
        ck_abort_msg("%s: {%s}", vector->name, name);
}

/* What stands behind a backslash; returns how many characters that are. */
static size_t expand_escape(struct vector *vector, const char *text)
{
    static const char letters[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
    char hex[3] = {text[0] == 'x' ? text[1] : '0', text[0] == 'x' ? text[2] : '0', '\0'};
    char byte = (char)strtol(hex, NULL, 16);
    const char *letter = text[0] == 'x' ? NULL : strchr(letters, text[0]);
    ck_assert_msg(text[0] == 'x' || letter, "%s: \\%c", vector->name, text[0]);
    ck_assert_int_eq(
        cleat_buffer_append(&vector->bytes, letter ? &bytes[letter - letters] : &byte, 1), 0);
    return letter ? 1 : 3;
}

static void expand(struct vector *vector, const char *text, size_t length, const char *review)
{
    for (const char *end = text + length; text < end; text++) {
        if (*text == '{') {
            size_t inner = strcspn(text + 1, "}");
            expand_brace(vector, text + 1, inner, review);
            text += inner + 1;
        } else if (*text == '\\') {
            text += expand_escape(vector, text + 1);
        } else {
            ck_assert_int_eq(cleat_buffer_append(&vector->bytes, text, 1), 0);
        }
    }
}

/* The next vector of @file; false at its end. */
static bool vector_read(struct vector *vector, FILE *file, const char *review)
{
    do {
        if (!fgets(vector->line, sizeof(vector->line), file))
            return false;
        ck_assert_ptr_nonnull(strchr(vector->line, '\n'));
    } while (vector->line[0] == '#' || vector->line[0] == '\n');
    char *name = strstr(vector->line, " | ");
    ck_assert_msg(name != NULL, "%s", vector->line);
    *name = '\0';
    name += 3;
    char *bytes = strstr(name, " | ");
    ck_assert_msg(bytes != NULL, "%s", name);
    *bytes = '\0';
    vector->name = name;
    vector->eof = false;
    cleat_buffer_reset(&vector->bytes);
    vector_parse_want(vector, vector->line);
    expand(vector, bytes + 3, strcspn(bytes + 3, "\n"), review);
    return true;
}

/* ---- speaking ---- */

/* One vector on one connection. */
struct run {
    const struct vector *vector;
    struct http_client client;
    struct cleat_buffer received;
    bool ended;
    int statuses[ANSWERS_MAX + 1];
    size_t count;
    size_t parsed; /* bytes of whole answers */
};

/* Reads what is there, waiting a moment. */
static void run_look(struct run *run)
{
    struct pollfd wait = {.fd = run->client.fd, .events = POLLIN};
    bool pending = run->client.session && gnutls_record_check_pending(run->client.session) > 0;
    if (!pending && poll(&wait, 1, 20) <= 0)
        return;
    run->client.length = 0;
    run->ended = !http_client_fill(&run->client);
    if (!run->ended)
        ck_assert_int_eq(cleat_buffer_append(&run->received, run->client.bytes, run->client.length),
                         0);
}

/* Takes in whole answers. What is left behind the last one must be nothing. */
static void run_parse(struct run *run)
{
    bool head = run->vector->bytes.length > 5 && memcmp(run->vector->bytes.data, "HEAD ", 5) == 0;
    while (run->count <= ANSWERS_MAX && run->parsed < run->received.length) {
        const char *at = run->received.data + run->parsed;
        struct http_reply reply = {0};
        const char *end = strstr(at, "\r\n\r\n");
        if (!end || strncmp(at, "HTTP/1.1 ", 9) != 0)
            return;
        size_t length = (size_t)(end - at) + 4;
        ck_assert_uint_lt(length, sizeof(reply.head));
        memcpy(reply.head, at, length);
        const char *text = http_reply_header(&reply, "Content-Length");
        int status = (int)strtol(at + 9, NULL, 10);
        if (text && !head && status != 100)
            length += strtoul(text, NULL, 10);
        if (run->parsed + length > run->received.length)
            return;
        run->parsed += length;
        run->statuses[run->count++] = status;
    }
}

static void run_send(struct run *run, size_t piece)
{
    const struct cleat_buffer *bytes = &run->vector->bytes;
    for (size_t at = 0; at < bytes->length; at += piece) {
        size_t length = bytes->length - at < piece ? bytes->length - at : piece;
        if (!http_client_send(&run->client, bytes->data + at, length))
            return; /* refused already */
    }
    if (run->vector->eof && run->client.session)
        (void)gnutls_bye(run->client.session, GNUTLS_SHUT_WR);
    if (run->vector->eof)
        (void)shutdown(run->client.fd, SHUT_WR);
}

/* Reads on until what is expected is there, or nothing comes for long. */
static void run_receive(struct run *run)
{
    const struct vector *vector = run->vector;
    for (int i = 0; i < PATIENCE && !run->ended; i++) {
        if (vector->end == END_KEEP && run->count >= vector->count)
            return;
        if (vector->end == END_DEADLINE && run->count >= vector->count)
            cleat_fake_clock_advance_ms(&fake, 5000);
        run_look(run);
        run_parse(run);
    }
}

/* After what is expected, a connection that is kept serves a review. */
static bool run_goes_on(struct run *run)
{
    struct http_reply reply;
    run->client.length = 0;
    run->client.bytes[0] = '\0';
    send_review(&run->client, "/allow", 1);
    http_client_read(&run->client, &reply, false);
    return reply.status == 200;
}

/* A page of the library's own: its head, the same head again, its text. */
static bool run_is_page(const struct run *run)
{
    const char *head = run->received.data, *end = strstr(head, "\r\n\r\n");
    size_t length = end ? (size_t)(end - head) + 4 : 0;
    return length > 0 && run->received.length > 2 * length &&
           memcmp(head, head + length, length) == 0 && !strstr(head + 2 * length, "HTTP/1.1 ");
}

static const char *run_judge(struct run *run, unsigned served)
{
    const struct vector *vector = run->vector;
    unsigned good = 0;
    for (size_t i = 0; i < vector->count; i++)
        good += vector->statuses[i] == 200;
    if (run->count != vector->count ||
        memcmp(run->statuses, vector->statuses, run->count * sizeof(int)) != 0)
        return "other answers";
    if (run->parsed < run->received.length && (vector->end != END_PAGE || !run_is_page(run)))
        return "bytes behind the last answer";
    if (served > good)
        return "something was served that wasn't answered";
    if (run->ended != (vector->end != END_KEEP))
        return run->ended ? "the connection ended" : "the connection goes on";
    if (vector->end == END_KEEP && !run_goes_on(run))
        return "the connection serves no more";
    return NULL;
}

static void run_vector(struct fixture *fixture, const struct vector *vector, size_t piece)
{
    struct run *run = cleat_mem_zalloc(1, sizeof(*run));
    run->vector = vector;
    cleat_buffer_init(&run->received, VECTOR_BYTES_MAX);
    client_open(&run->client, fixture);
    unsigned before = atomic_load(&fixture->served);
    run_send(run, piece);
    run_receive(run);
    const char *wrong = run_judge(run, atomic_load(&fixture->served) - before);
    if (wrong) {
        failures++;
        (void)fprintf(stderr, "%s (%s, pieces of %zu): %s; %zu answers:", vector->name,
                      fixture->tls ? "TLS" : "plain", piece, wrong, run->count);
        for (size_t i = 0; i < run->count; i++)
            (void)fprintf(stderr, " %d", run->statuses[i]);
        (void)fprintf(stderr, "%s\n", run->ended ? ", ended" : "");
    }
    http_client_close(&run->client);
    cleat_buffer_fini(&run->received);
    cleat_mem_free(run);
}

static void tune(struct cleat_server_options *options)
{
    options->clock = &fake.clock;
}

static void vectors_run(bool tls, size_t piece, size_t bytes_max)
{
    static struct vector vector;
    struct fixture fixture;
    unsigned count = 0;
    FILE *file = fopen(CLEAT_SOURCE_DIR "/tests/cases/edge/vectors.txt", "re");
    char *review = review_of(10);
    ck_assert_ptr_nonnull(file);
    failures = 0;
    cleat_fake_clock_init(&fake);
    cleat_buffer_init(&vector.bytes, VECTOR_BYTES_MAX);
    fixture_open_tuned(&fixture, tls, tune);
    for (; vector_read(&vector, file, review); count++)
        if (vector.bytes.length <= bytes_max)
            run_vector(&fixture, &vector, piece);
    fixture_close(&fixture);
    cleat_buffer_fini(&vector.bytes);
    cleat_mem_free(review);
    (void)fclose(file);
    ck_assert_uint_ge(count, VECTORS_LEAST);
    ck_assert_msg(failures == 0, "%u of %u vectors", failures, count);
}

START_TEST(test_plain_whole)
{
    vectors_run(false, SIZE_MAX / 2, SIZE_MAX);
}
END_TEST

START_TEST(test_plain_bytewise)
{
    vectors_run(false, 1, BYTEWISE_MAX);
}
END_TEST

START_TEST(test_tls_whole)
{
    vectors_run(true, SIZE_MAX / 2, SIZE_MAX);
}
END_TEST

START_TEST(test_tls_pieces)
{
    vectors_run(true, 7, BYTEWISE_MAX);
}
END_TEST

CLEAT_SUITE_MAIN("edge_vectors", test_plain_whole, test_plain_bytewise, test_tls_whole,
                 test_tls_pieces)
