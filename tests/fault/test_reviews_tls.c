/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sample of damaged reviews over TLS to a real edge: what no reader may take is 400, what isn't
 * decided is never "allowed", and the next honest caller is served.
 */
#include "integration/server_fixture.h"
#include "support/damage.h"
#include "support/tally.h"

#define SAMPLE 5

struct sampler {
    struct fixture *fixture;
    struct cleat_tally tally;
    size_t seen;
};

static int sampler_ask(struct sampler *sampler, const char *path, struct cleat_str body,
                       struct http_reply *reply)
{
    static struct http_client client; /* large; one thread */
    char head[256];
    memset(reply, 0, sizeof(*reply));
    (void)snprintf(head, sizeof(head),
                   "POST %s HTTP/1.1\r\n" HOST JSON "Content-Length: %zu\r\n\r\n", path,
                   body.length);
    if (http_client_open(&client, cleat_server_port(sampler->fixture->server), true) &&
        http_client_text(&client, head) && http_client_send(&client, body.data, body.length))
        http_client_read(&client, reply, false);
    http_client_close(&client);
    return reply->status;
}

static void sampler_damage(void *arg, const struct cleat_damage *damage)
{
    static struct http_reply reply;
    struct sampler *sampler = arg;
    if (sampler->seen++ % SAMPLE != 0 || damage->text.length == 0)
        return;
    sampler->tally.injections++;
    int status = sampler_ask(sampler, "/allow", damage->text, &reply);
    bool wrong = damage->malformed ? status != 400 : status != 200 && status != 400;
    wrong = wrong || (status == 200 && !strstr(reply.body, "\"response\":{\"uid\":\""));
    status = sampler_ask(sampler, "/fault", damage->text, &reply);
    wrong = wrong || (status != 400 && status != 500) || strstr(reply.body, "\"allowed\":true");
    if (wrong) {
        (void)fprintf(stderr, "'%s' %s: %d %.200s\n", damage->path, damage->what, status,
                      reply.body);
        sampler->tally.wrong++;
    }
}

START_TEST(test_sample)
{
    struct fixture fixture;
    static struct http_reply reply;
    char review[1024];
    struct sampler sampler = {
        .fixture = &fixture,
        .tally = {.name = "reviews-tls", .least = 150, .note = "a sample of them over TLS"}};
    fixture_open(&fixture, true);
    (void)snprintf(review, sizeof(review), REVIEW, "y");
    (void)cleat_damage_each(review, sampler_damage, &sampler);
    ck_assert_int_eq(sampler_ask(&sampler, "/allow", cleat_str_of(review), &reply), 200);
    ck_assert_ptr_nonnull(strstr(reply.body, ALLOWED));
    sampler.tally.runs++;
    fixture_close(&fixture);
    cleat_tally_end(&sampler.tally);
}
END_TEST

CLEAT_SUITE_MAIN("reviews over TLS", test_sample)
