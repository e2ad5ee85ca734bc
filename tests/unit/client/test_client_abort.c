/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that are given up: while the server is silent, and between tries. */
#include "base/thread.h"
#include "support/client_fixture.h"
#include "support/suite.h"
#include "support/wait.h"

/* What a call that is given up waits for: an answer, or the time to try again. */
static void hang(void *arg, struct script_exchange *exchange, const struct script_request *request)
{
    if (strstr(request->target, "/later"))
        script_reply(exchange, 503, "Retry-After: 3600\r\n", "");
    else if (request->number == 1)
        (void)script_hold(exchange); /* whoever closes */
    else
        script_reply(exchange, 200, NULL, "{}");
}

struct abort_call {
    struct cleat_client *client;
    const char *path;
    struct cleat_thread thread;
    struct cleat_err err;
    int rc;
};

static void *abort_call_run(void *arg)
{
    struct abort_call *call = arg;
    call->rc = cleat_client_raw(call->client, "GET", call->path, CLEAT_STR(""), NULL, &call->err);
    return NULL;
}

START_TEST(test_abort)
{
    static const struct {
        const char *path, *text, *early; /* early: while the answer was still on its way */
    } cases[] = {
        {"/hang", "/hang: given up by its caller", "/hang: given up by its caller"},
        {"/later", "/later: not sent, the client was aborted", "/later: given up by its caller"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client_fixture fixture;
        struct cleat_client *other = NULL;
        client_fixture_init(&fixture, hang, NULL);
        fixture.options.timeout_ms = 36000000; /* the time to try again would come before */
        ck_assert_int_eq(cleat_client_new(&fixture.options, &fixture.client, NULL), 0);
        ck_assert_int_eq(cleat_client_fenced(fixture.client, NULL, NULL, &other), 0);
        struct abort_call call = {.client = fixture.client, .path = cases[i].path};
        ck_assert_int_eq(cleat_thread_start(&call.thread, "call", 0, abort_call_run, &call, NULL),
                         0);
        CLEAT_WAIT_FOR(script_server_requests(fixture.server) == 1, 5000);
        cleat_client_abort(fixture.client, true);
        cleat_thread_join(&call.thread);
        ck_assert_int_eq(call.rc, -ECANCELED);
        ck_assert_msg(strstr(call.err.text, cases[i].text) || strstr(call.err.text, cases[i].early),
                      "%s", call.err.text);
        ck_assert_int_eq(cleat_client_raw(fixture.client, "GET", "/", CLEAT_STR(""), NULL, NULL),
                         -ECANCELED);
        ck_assert_uint_eq(script_server_requests(fixture.server), 1);
        /* The other one is one of its own; and the first may go on. */
        ck_assert_int_eq(cleat_client_raw(other, "GET", "/", CLEAT_STR(""), NULL, NULL), 0);
        cleat_client_abort(fixture.client, false);
        ck_assert_int_eq(cleat_client_raw(fixture.client, "GET", "/", CLEAT_STR(""), NULL, NULL),
                         0);
        cleat_client_unref(other);
        client_fixture_fini(&fixture);
    }
}
END_TEST

CLEAT_SUITE_MAIN("client_abort", test_abort)
