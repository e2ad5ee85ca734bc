/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include "certs/authority.h"
#include "certs/bundle.h"
#include "certs/plan.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define LEAF_S 3000
#define CA_S 300000
#define WORLDS 3
#define WALL_MS (CLEAT_FAKE_CLOCK_WALL_MS / 1000 * 1000) /* a whole second */

static const char *const names[] = {"a.example", NULL};
static const char *const more_names[] = {"a.example", "b.example", NULL};

/* Worlds of CA and leaf, so that their parts can be mixed; the texts are for lists of CAs. */
struct world {
    struct cleat_fake_clock fake;
    struct cleat_authority *authority[WORLDS];
    struct cleat_bundle *bundle[WORLDS];
    struct cleat_buffer lists[256];
    size_t list_count;
    struct cleat_trust trusts[256];
    size_t trust_count;
    int64_t now_s;
};

static void world_init(struct world *world)
{
    *world = (struct world){.list_count = 0};
    cleat_fake_clock_init(&world->fake);
    cleat_fake_clock_set_wall_ms(&world->fake, WALL_MS);
    const struct cleat_clock *clock = &world->fake.clock;
    for (int i = 0; i < WORLDS; i++) {
        char name[] = {'c', 'a', (char)('0' + i), '\0'};
        ck_assert_int_eq(cleat_authority_new(name, CA_S, clock, &world->authority[i], NULL), 0);
        ck_assert_int_eq(cleat_authority_issue(world->authority[i], names, LEAF_S, clock,
                                               &world->bundle[i], NULL),
                         0);
    }
    world->now_s = cleat_clock_wall_ms(clock) / 1000;
}

static void world_fini(struct world *world)
{
    for (int i = 0; i < WORLDS; i++) {
        cleat_bundle_unref(world->bundle[i]);
        cleat_authority_free(world->authority[i]);
    }
    for (size_t i = 0; i < world->list_count; i++)
        cleat_buffer_fini(&world->lists[i]);
    for (size_t i = 0; i < world->trust_count; i++)
        cleat_trust_fini(&world->trusts[i]);
}

/* CAs by their digits, in order: "10" is the second world's, then the first's; 'g' is garbage. */
static struct cleat_str list(struct world *world, const char *which)
{
    struct cleat_buffer *buffer = &world->lists[world->list_count++];
    ck_assert_uint_le(world->list_count, sizeof(world->lists) / sizeof(world->lists[0]));
    cleat_buffer_init(buffer, CLEAT_TRUST_BYTES_MAX);
    for (const char *c = which; *c; c++)
        if (*c == 'g')
            (void)cleat_buffer_text(buffer,
                                    "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
        else
            (void)cleat_buffer_str(buffer, cleat_authority_cert(world->authority[*c - '0']));
    ck_assert_int_eq(buffer->failed, 0);
    return cleat_buffer_view(buffer);
}

static struct cleat_str part_of(char from, struct cleat_str (*get)(const struct cleat_bundle *),
                                struct world *world)
{
    return from == '-'   ? CLEAT_STR("")
           : from == 'g' ? CLEAT_STR("garbage")
                         : get(world->bundle[from - '0']);
}

/* The lists of CAs in @which, divided by '|'; they belong to the world. */
static size_t lists(struct world *world, const char *which, const struct cleat_trust **ret)
{
    size_t count = 0;
    for (const char *at = which; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
        char one[8];
        struct cleat_trust *trust = &world->trusts[world->trust_count++];
        ck_assert_uint_le(world->trust_count, sizeof(world->trusts) / sizeof(world->trusts[0]));
        (void)snprintf(one, sizeof(one), "%.*s", (int)strcspn(at, "|~"), at);
        cleat_trust_add(trust, list(world, one), CLEAT_X509_ANY_TIME);
        ret[count++] = trust;
    }
    return count;
}

/* The worlds' digits of the CAs in @trust. */
static void trust_name(struct world *world, const struct cleat_trust *trust, char *text)
{
    for (size_t i = 0; i < trust->count; i++) {
        text[i] = '?';
        for (int j = 0; j < WORLDS; j++) {
            struct cleat_trust one = CLEAT_TRUST_INIT;
            cleat_trust_add(&one, cleat_authority_cert(world->authority[j]), 0);
            if (cleat_trust_has(&one, trust->certs[i]))
                text[i] = (char)('0' + j);
            cleat_trust_fini(&one);
        }
    }
    text[trust->count] = '\0';
}

#define KEEP CLEAT_PLAN_KEEP
#define TRUST CLEAT_PLAN_TRUST
#define ISSUE CLEAT_PLAN_ISSUE
#define RENEW CLEAT_PLAN_RENEW
#define STORED CLEAT_PLAN_LEAF_STORED
#define SERVED CLEAT_PLAN_LEAF_SERVED
#define NEW CLEAT_PLAN_LEAF_NEW
#define UNTIL(later_s) ((later_s) + 1000000)
#define GOOD "all is good"
#define DUE "the certificate is due for renewal"
#define CA_DUE "the CA is due for renewal"
#define PENDING "the newest CA isn't published yet"
#define LISTED "the list of CAs isn't as it should be"

/*
 * A Secret as the worlds of its leaf, its key and the CA's key ('-': none, 'g': garbage) and its
 * list of CAs; the world of what we serve; the published lists, divided by '|' ('~': only just, in
 * place of a CA before); the records, as seconds from now by UNTIL (0: none).
 */
static const struct row {
    const char *name, *secret;
    char served;
    const char *published;
    int64_t newest_until, older_until;
    const char *const *names;
    int64_t later_s;
    enum cleat_plan_action action;
    enum cleat_plan_leaf leaf;
    const char *older, *why;
} rows[] = {
    /* Nothing is wrong. */
    {"all good", "000 0", '0', "0", UNTIL(LEAF_S), 0, names, 0, KEEP, STORED, "", GOOD},
    {"all good, nothing published yet", "000 0", '0', "|", UNTIL(LEAF_S), 0, names, 0, KEEP, STORED,
     "", GOOD},
    {"the record is missing", "000 0", '0', "0", 0, 0, names, 0, TRUST, STORED, "", LISTED},
    /* The leaf's life. */
    {"just before two thirds", "000 0", '0', "0", UNTIL(LEAF_S), 0, names, 1999, KEEP, STORED, "",
     GOOD},
    {"two thirds of the leaf", "000 0", '0', "0", UNTIL(LEAF_S), 0, names, 2000, ISSUE, NEW, "",
     DUE},
    {"due, and somebody emptied the caBundle", "000 0", '0', "g", UNTIL(LEAF_S), 0, names, 2000,
     ISSUE, NEW, "", DUE},
    {"expired leaf", "000 0", '0', "0", UNTIL(LEAF_S), 0, names, LEAF_S, ISSUE, NEW, "",
     "the certificate has expired"},
    {"another name", "000 0", '0', "0", UNTIL(LEAF_S), 0, more_names, 0, ISSUE, NEW, "",
     "the certificate doesn't cover all names"},
    /* Broken leaves. */
    {"no leaf", "-00 0", '-', "0", 0, 0, names, 0, ISSUE, NEW, "", "there is no certificate"},
    {"no key", "0-0 0", '-', "0", 0, 0, names, 0, ISSUE, NEW, "", "there is no certificate"},
    {"broken leaf", "g00 0", '0', "0", 0, 0, names, 0, ISSUE, NEW, "",
     "the certificate can't be read or doesn't fit its key"},
    {"foreign key", "010 0", '0', "0", 0, 0, names, 0, ISSUE, NEW, "",
     "the certificate can't be read or doesn't fit its key"},
    {"leaf of another CA", "110 0", '0', "0", 0, 0, names, 0, ISSUE, NEW, "",
     "the certificate isn't the CA's"},
    {"broken leaf while a new CA isn't published", "g01 10", '0', "0", 0, UNTIL(LEAF_S), names, 0,
     TRUST, SERVED, "0", "the certificate can't be read or doesn't fit its key"},
    {"the same with nothing served", "g01 10", '-', "0", 0, UNTIL(LEAF_S), names, 0, ISSUE, NEW,
     "0", "the certificate can't be read or doesn't fit its key"},
    /* Broken and missing CAs. */
    {"nothing", "--- ", '-', "", 0, 0, names, 0, RENEW, NEW, "", "there is no CA"},
    {"nothing, but the old is published", "--- ", '-', "0", 0, 0, names, 0, RENEW, NEW, "",
     "there is no CA"},
    {"Secret deleted while we serve", "--- ", '0', "0", 0, 0, names, 0, RENEW, SERVED, "0",
     "there is no CA"},
    {"Secret deleted while what we serve has expired", "--- ", '0', "0", 0, 0, names, LEAF_S, RENEW,
     NEW, "", "there is no CA"},
    {"no CA key", "00- 0", '0', "0", UNTIL(LEAF_S), 0, names, 0, RENEW, STORED, "0",
     "there is no CA"},
    {"broken CA while we serve", "000 g", '0', "0", UNTIL(LEAF_S), 0, names, 0, RENEW, SERVED, "0",
     "the CA can't be read or doesn't fit its key"},
    {"broken CA and nothing served", "000 g", '-', "0", UNTIL(LEAF_S), 0, names, 0, RENEW, NEW, "",
     "the CA can't be read or doesn't fit its key"},
    {"broken CA before a good one", "000 g0", '0', "0", UNTIL(LEAF_S), 0, names, 0, RENEW, STORED,
     "0", "the CA can't be read or doesn't fit its key"},
    {"foreign CA key", "001 0", '0', "0", UNTIL(LEAF_S), 0, names, 0, RENEW, STORED, "0",
     "the CA can't be read or doesn't fit its key"},
    {"CAs in the wrong order", "111 01", '1', "01", UNTIL(LEAF_S), UNTIL(LEAF_S), names, 0, RENEW,
     STORED, "01", "the CA can't be read or doesn't fit its key"},
    /* The overlap, step by step. */
    {"just before two thirds of the CA", "000 0", '-', "0", UNTIL(LEAF_S), 0, names,
     CA_S / 3 * 2 - 1, ISSUE, NEW, "", "the certificate has expired"},
    {"two thirds of the CA, no leaf", "000 0", '-', "0", UNTIL(LEAF_S), 0, names, CA_S / 3 * 2,
     RENEW, NEW, "0", CA_DUE},
    {"a new CA, not published", "001 10", '0', "0", 0, UNTIL(LEAF_S), names, 0, KEEP, STORED, "0",
     PENDING},
    {"published in one of two", "001 10", '0', "01|0", 0, UNTIL(LEAF_S), names, 0, KEEP, STORED,
     "0", PENDING},
    {"published in both", "001 10", '0', "01|10", 0, UNTIL(LEAF_S), names, 0, ISSUE, NEW, "0",
     "the certificate isn't the newest CA's"},
    {"published in both only just", "001 10", '0', "01|10~", 0, UNTIL(LEAF_S), names, 0, KEEP,
     STORED, "0", PENDING},
    {"not published, and the leaf is due", "001 10", '0', "0", 0, UNTIL(LEAF_S), names, 2500, KEEP,
     STORED, "0", PENDING},
    {"not published, and the leaf has expired", "001 10", '0', "0", 0, UNTIL(LEAF_S), names, LEAF_S,
     ISSUE, NEW, "0", "the certificate has expired"},
    {"issued, the old one may be served yet", "111 10", '1', "10", UNTIL(LEAF_S), UNTIL(1000),
     names, 999, KEEP, STORED, "0", GOOD},
    {"the last second of the old one", "111 10", '1', "10", UNTIL(LEAF_S), UNTIL(1000), names, 1000,
     KEEP, STORED, "0", GOOD},
    {"the old one has ended", "111 10", '1', "10", UNTIL(LEAF_S), UNTIL(1000), names, 1001, TRUST,
     STORED, "", LISTED},
    {"the old one has ended by the record, but we serve it", "111 10", '0', "10", UNTIL(LEAF_S),
     UNTIL(-5), names, 0, TRUST, STORED, "0", LISTED},
    {"the record of the old one is gone", "111 10", '1', "10", UNTIL(LEAF_S), 0, names, 0, TRUST,
     STORED, "0", LISTED},
    /* A Secret by somebody who doesn't know of us. */
    {"what we serve isn't the Secret's", "111 1", '0', "1", UNTIL(LEAF_S), 0, names, 0, TRUST,
     STORED, "0", LISTED},
    {"the same where another is trusted already", "111 12", '0', "1", UNTIL(LEAF_S), UNTIL(LEAF_S),
     names, 0, TRUST, STORED, "02", LISTED},
    {"a CA that nobody needs", "000 02", '0', "0", UNTIL(LEAF_S), UNTIL(-1), names, 0, TRUST,
     STORED, "", LISTED},
    {"garbage behind the CA", "000 0g", '0', "0", UNTIL(LEAF_S), 0, names, 0, TRUST, STORED, "",
     LISTED},
    {"the CA twice", "000 00", '0', "0", UNTIL(LEAF_S), 0, names, 0, TRUST, STORED, "", LISTED},
    /* The clock. */
    {"the clock went back a little", "000 0", '0', "0", UNTIL(LEAF_S), 0, names,
     -CLEAT_CERT_BACKDATE_S, KEEP, STORED, "", GOOD},
    {"the clock went back further than any certificate", "000 0", '0', "0", UNTIL(LEAF_S), 0, names,
     -CLEAT_CERT_BACKDATE_S - 1, RENEW, NEW, "0", CA_DUE},
};

/* The SHA-256 of a CA; in a static. */
static const unsigned char *digest(struct world *world, int which)
{
    static unsigned char bytes[EVP_MAX_MD_SIZE];
    struct cleat_trust trust = CLEAT_TRUST_INIT;
    unsigned length = 0;
    if (which < 0 || which >= WORLDS)
        return NULL;
    cleat_trust_add(&trust, cleat_authority_cert(world->authority[which]), CLEAT_X509_ANY_TIME);
    ck_assert_int_eq(X509_digest(trust.certs[0], EVP_sha256(), bytes, &length), 1);
    cleat_trust_fini(&trust);
    return bytes;
}

static void state_fill(struct world *world, const struct row *row,
                       const struct cleat_trust **published, struct cleat_plan_state *state)
{
    const char *secret = row->secret;
    *state = (struct cleat_plan_state){
        .cert = part_of(secret[0], cleat_bundle_cert, world),
        .key = part_of(secret[1], cleat_bundle_key, world),
        .ca = list(world, secret + 4),
        .ca_key = secret[2] == '-' ? CLEAT_STR("")
                                   : cleat_authority_key(world->authority[secret[2] - '0']),
        .newest_until_unix_s = row->newest_until ? world->now_s + row->newest_until - UNTIL(0) : 0,
        .older_until_unix_s = row->older_until ? world->now_s + row->older_until - UNTIL(0) : 0,
        .served = row->served == '-' ? NULL : world->bundle[row->served - '0'],
        .published = published,
        .published_count = lists(world, row->published, published),
        .settled = strchr(row->published, '~') ? digest(world, 0)
                   : secret[4]                 ? digest(world, secret[4] - '0')
                                               : NULL,
        .names = row->names,
        .leaf_lifetime_s = LEAF_S,
    };
}

static void check_row(struct world *world, const struct row *row)
{
    const struct cleat_trust *published[3];
    struct cleat_plan_state state;
    struct cleat_plan plan;
    char older[CLEAT_TRUST_MAX + 1];
    int64_t now_ms = (world->now_s + row->later_s) * 1000;
    state_fill(world, row, published, &state);
    ck_assert_int_eq(cleat_plan_make(&state, now_ms, &plan), 0);
    trust_name(world, &plan.older, older);
    ck_assert_msg(plan.action == row->action, "%s: action %d (%s)", row->name, plan.action,
                  plan.why);
    ck_assert_msg(plan.leaf == row->leaf, "%s: leaf %d", row->name, plan.leaf);
    ck_assert_msg(strcmp(older, row->older) == 0, "%s: older %s", row->name, older);
    ck_assert_msg(strcmp(plan.why, row->why) == 0, "%s: %s", row->name, plan.why);
    ck_assert_msg(plan.waiting == (strcmp(row->why, PENDING) == 0), "%s", row->name);
    ck_assert_msg(plan.next_unix_ms > now_ms, "%s", row->name);
    cleat_plan_fini(&plan);
}

START_TEST(test_plan)
{
    struct world world;
    world_init(&world);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_row(&world, &rows[i]);
    world_fini(&world);
}
END_TEST

/* Old CAs stay at least as long as anything that was issued under them. */
START_TEST(test_records_go_on)
{
    struct world world;
    struct cleat_plan plan;
    world_init(&world);
    const struct row deleted = {.secret = "--- ", .served = '0', .published = "0", .names = names};
    const struct row due = {.secret = "000 01",
                            .served = '-',
                            .published = "0",
                            .newest_until = UNTIL(5 * LEAF_S),
                            .older_until = UNTIL(7),
                            .names = names};
    const struct cleat_trust *published[3];
    struct cleat_plan_state state;
    state_fill(&world, &deleted, published, &state);
    ck_assert_int_eq(cleat_plan_make(&state, world.now_s * 1000, &plan), 0);
    ck_assert_int_eq(plan.older_until_unix_s, world.now_s + LEAF_S);
    ck_assert_int_eq(plan.newest_until_unix_s, 0);
    cleat_plan_fini(&plan);
    state_fill(&world, &due, published, &state);
    ck_assert_int_eq(cleat_plan_make(&state, (world.now_s + CA_S / 3 * 2) * 1000, &plan), 0);
    ck_assert_int_eq(plan.action, CLEAT_PLAN_RENEW);
    ck_assert_int_eq(plan.older_until_unix_s, world.now_s + 5 * LEAF_S);
    ck_assert_int_eq(plan.newest_until_unix_s, 0);
    cleat_plan_fini(&plan);
    world_fini(&world);
}
END_TEST

/* What was backdated by an hour and lives for seconds isn't due at once. */
START_TEST(test_short_lives_are_measured_from_the_issue)
{
    struct cleat_fake_clock fake;
    struct cleat_authority *authority = NULL;
    struct cleat_bundle *bundle = NULL;
    struct cleat_plan plan;
    cleat_fake_clock_init(&fake);
    cleat_fake_clock_set_wall_ms(&fake, WALL_MS);
    ck_assert_int_eq(cleat_authority_new("ca", 30, &fake.clock, &authority, NULL), 0);
    ck_assert_int_eq(cleat_authority_issue(authority, names, 6, &fake.clock, &bundle, NULL), 0);
    int64_t now_ms = cleat_clock_wall_ms(&fake.clock);
    const struct cleat_plan_state state = {.cert = cleat_bundle_cert(bundle),
                                           .key = cleat_bundle_key(bundle),
                                           .ca = cleat_authority_cert(authority),
                                           .ca_key = cleat_authority_key(authority),
                                           .newest_until_unix_s =
                                               cleat_bundle_not_after_unix_s(bundle),
                                           .names = names,
                                           .leaf_lifetime_s = 6};
    ck_assert_int_eq(cleat_plan_make(&state, now_ms, &plan), 0);
    ck_assert_int_eq(plan.action, CLEAT_PLAN_KEEP);
    ck_assert_int_eq(plan.next_unix_ms, now_ms + 4000);
    cleat_plan_fini(&plan);
    ck_assert_int_eq(cleat_plan_make(&state, now_ms + 3999, &plan), 0);
    ck_assert_int_eq(plan.action, CLEAT_PLAN_KEEP);
    cleat_plan_fini(&plan);
    ck_assert_int_eq(cleat_plan_make(&state, now_ms + 4000, &plan), 0);
    ck_assert_int_eq(plan.action, CLEAT_PLAN_ISSUE);
    cleat_plan_fini(&plan);
    cleat_bundle_unref(bundle);
    cleat_authority_free(authority);
}
END_TEST

static const struct {
    const char *name;
    char served, candidate;
    const char *published; /* NULL: nothing is ours */
    bool unknown;
    int64_t later_s;
    bool adopts;
} adoptions[] = {
    {"nothing is served", '-', '0', "1", false, 0, true},
    {"nothing is served or known", '-', '0', NULL, true, 0, true},
    {"published", '0', '1', "01", false, 0, true},
    {"published alone", '0', '1', "1", false, 0, true},
    {"nothing is ours", '0', '1', NULL, false, 0, true},
    {"not published", '0', '1', "0", false, 0, false},
    {"published in one of two", '0', '1', "01|0", false, 0, false},
    {"an empty bundle", '0', '1', "", false, 0, false},
    {"garbage", '0', '1', "g", false, 0, false},
    {"garbage before it", '0', '1', "g1", false, 0, true},
    {"nobody knows", '0', '1', NULL, true, 0, false},
    {"the same leaf", '0', '0', "1", false, 0, true},
    {"what is served has expired", '0', '1', "0", false, LEAF_S, true},
};

START_TEST(test_adoption)
{
    struct world world;
    world_init(&world);
    for (size_t i = 0; i < sizeof(adoptions) / sizeof(adoptions[0]); i++) {
        const struct cleat_trust *published[3];
        const struct cleat_plan_state state = {
            .served = adoptions[i].served == '-' ? NULL : world.bundle[adoptions[i].served - '0'],
            .published = published,
            .published_count = lists(&world, adoptions[i].published, published),
            .published_unknown = adoptions[i].unknown};
        ck_assert_msg(cleat_plan_adopts(&state, world.bundle[adoptions[i].candidate - '0'],
                                        (world.now_s + adoptions[i].later_s) * 1000) ==
                          adoptions[i].adopts,
                      "%s", adoptions[i].name);
    }
    world_fini(&world);
}
END_TEST

/* The CA that a leaf needs isn't the one that goes where there are too many. */
START_TEST(test_full_list)
{
    struct world world;
    struct cleat_plan plan;
    struct cleat_buffer full = CLEAT_BUFFER_INIT((size_t)1 << 20);
    world_init(&world);
    for (int i = 0; i < CLEAT_TRUST_MAX - 1; i++) {
        struct cleat_authority *other = NULL;
        ck_assert_int_eq(cleat_authority_new("x", CA_S, &world.fake.clock, &other, NULL), 0);
        (void)cleat_buffer_str(&full, cleat_authority_cert(other));
        cleat_authority_free(other);
    }
    (void)cleat_buffer_str(&full, cleat_authority_cert(world.authority[0]));
    const struct cleat_plan_state state = {.cert = cleat_bundle_cert(world.bundle[0]),
                                           .key = cleat_bundle_key(world.bundle[0]),
                                           .ca = cleat_buffer_view(&full),
                                           .names = names,
                                           .leaf_lifetime_s = LEAF_S};
    ck_assert_int_eq(cleat_plan_make(&state, world.now_s * 1000, &plan), 0);
    ck_assert_int_eq(plan.action, CLEAT_PLAN_RENEW);
    ck_assert_int_eq(plan.leaf, CLEAT_PLAN_LEAF_STORED);
    ck_assert_uint_eq(plan.older.count, CLEAT_TRUST_MAX - 1);
    ck_assert(cleat_trust_verifies(&plan.older, cleat_bundle_cert(world.bundle[0]), world.now_s));
    cleat_plan_fini(&plan);
    cleat_buffer_fini(&full);
    world_fini(&world);
}
END_TEST

/* Hundreds of certificates: bounded, and what we need isn't lost. */
START_TEST(test_crowded_secret)
{
    struct world world;
    struct cleat_plan plan;
    struct cleat_buffer crowd = CLEAT_BUFFER_INIT((size_t)4 << 20);
    world_init(&world);
    (void)cleat_buffer_str(&crowd, cleat_authority_cert(world.authority[1]));
    for (int i = 0; i < 300; i++) {
        struct cleat_authority *other = NULL;
        ck_assert_int_eq(cleat_authority_new("x", CA_S, &world.fake.clock, &other, NULL), 0);
        (void)cleat_buffer_str(&crowd, cleat_authority_cert(other));
        cleat_authority_free(other);
    }
    (void)cleat_buffer_str(&crowd, cleat_authority_cert(world.authority[0]));
    struct cleat_plan_state state = {.cert = cleat_bundle_cert(world.bundle[1]),
                                     .key = cleat_bundle_key(world.bundle[1]),
                                     .ca = cleat_buffer_view(&crowd),
                                     .ca_key = cleat_authority_key(world.authority[1]),
                                     .served = world.bundle[0],
                                     .names = names,
                                     .leaf_lifetime_s = LEAF_S};
    ck_assert_int_eq(cleat_plan_make(&state, world.now_s * 1000, &plan), 0);
    ck_assert_int_eq(plan.action, CLEAT_PLAN_TRUST);
    ck_assert_uint_eq(plan.older.count, CLEAT_TRUST_MAX - 1);
    char older[CLEAT_TRUST_MAX + 1];
    trust_name(&world, &plan.older, older);
    ck_assert_int_eq(older[0], '0');
    cleat_plan_fini(&plan);
    cleat_buffer_fini(&crowd);
    world_fini(&world);
}
END_TEST

CLEAT_SUITE_MAIN("plan", test_plan, test_records_go_on,
                 test_short_lives_are_measured_from_the_issue, test_adoption, test_full_list,
                 test_crowded_secret)
