/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "certs/authority.h"
#include "certs/bundle.h"
#include "certs/plan.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define LEAF_S 3000
#define CA_S 300000

static const char *const names[] = {"a.example", NULL};
static const char *const more_names[] = {"a.example", "b.example", NULL};

/* Two worlds of CA and leaf, so that their parts can be mixed. */
struct world {
    struct cleat_fake_clock fake;
    struct cleat_authority *authority[2];
    struct cleat_bundle *bundle[2];
    int64_t now_s;
};

static void world_init(struct world *world)
{
    cleat_fake_clock_init(&world->fake);
    const struct cleat_clock *clock = &world->fake.clock;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(cleat_authority_new("ca", CA_S, clock, &world->authority[i], NULL), 0);
        ck_assert_int_eq(cleat_authority_issue(world->authority[i], names, LEAF_S, clock,
                                               &world->bundle[i], NULL),
                         0);
    }
    world->now_s = cleat_clock_wall_ms(clock) / 1000;
}

static void world_fini(struct world *world)
{
    for (int i = 0; i < 2; i++) {
        cleat_bundle_unref(world->bundle[i]);
        cleat_authority_free(world->authority[i]);
    }
}

/* From which world a part comes; -1: it isn't there; 9: garbage. */
static const struct {
    const char *name;
    int cert, key, ca, ca_key;
    const char *const *names;
    int64_t later_s;
    enum cleat_plan_action action;
    const char *why;
} cases[] = {
    {"all good", 0, 0, 0, 0, names, 0, CLEAT_PLAN_KEEP, "the certificate is good"},
    {"nothing", -1, -1, -1, -1, names, 0, CLEAT_PLAN_RENEW, "there is no CA"},
    {"no CA key", 0, 0, 0, -1, names, 0, CLEAT_PLAN_RENEW, "there is no CA"},
    {"broken CA", 0, 0, 9, 0, names, 0, CLEAT_PLAN_RENEW, "the CA can't be read"},
    {"foreign CA key", 0, 0, 0, 1, names, 0, CLEAT_PLAN_RENEW, "the CA can't be read"},
    {"no leaf", -1, 0, 0, 0, names, 0, CLEAT_PLAN_ISSUE, "there is no certificate"},
    {"no key", 0, -1, 0, 0, names, 0, CLEAT_PLAN_ISSUE, "there is no certificate"},
    {"broken leaf", 9, 0, 0, 0, names, 0, CLEAT_PLAN_ISSUE,
     "the certificate can't be read or doesn't fit its key"},
    {"foreign key", 0, 1, 0, 0, names, 0, CLEAT_PLAN_ISSUE,
     "the certificate can't be read or doesn't fit its key"},
    {"leaf of another CA", 1, 1, 0, 0, names, 0, CLEAT_PLAN_ISSUE,
     "the certificate isn't the CA's"},
    {"another name", 0, 0, 0, 0, more_names, 0, CLEAT_PLAN_ISSUE,
     "the certificate doesn't cover all names"},
    {"just before two thirds", 0, 0, 0, 0, names, 799, CLEAT_PLAN_KEEP, "the certificate is good"},
    {"two thirds of the leaf", 0, 0, 0, 0, names, 800, CLEAT_PLAN_ISSUE,
     "the certificate is due for renewal"},
    {"expired leaf", 0, 0, 0, 0, names, LEAF_S + 1, CLEAT_PLAN_ISSUE,
     "the certificate is due for renewal"},
    {"two thirds of the CA", 0, 0, 0, 0, names, CA_S / 3 * 2, CLEAT_PLAN_RENEW,
     "the CA is due for renewal"},
    {"the clock went back", 0, 0, 0, 0, names, -CLEAT_CERT_BACKDATE_S - 1, CLEAT_PLAN_RENEW,
     "the CA is due for renewal"},
};

static struct cleat_str pick(int from, struct cleat_str first, struct cleat_str second)
{
    return from == 0   ? first
           : from == 1 ? second
           : from == 9 ? CLEAT_STR("garbage")
                       : CLEAT_STR("");
}

START_TEST(test_plan)
{
    struct world world;
    world_init(&world);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = NULL;
        struct cleat_plan_state state = {
            pick(cases[i].cert, cleat_bundle_cert(world.bundle[0]),
                 cleat_bundle_cert(world.bundle[1])),
            pick(cases[i].key, cleat_bundle_key(world.bundle[0]),
                 cleat_bundle_key(world.bundle[1])),
            pick(cases[i].ca, cleat_authority_cert(world.authority[0]),
                 cleat_authority_cert(world.authority[1])),
            pick(cases[i].ca_key, cleat_authority_key(world.authority[0]),
                 cleat_authority_key(world.authority[1])),
        };
        enum cleat_plan_action action =
            cleat_plan(&state, cases[i].names, world.now_s + cases[i].later_s, &why);
        ck_assert_msg(action == cases[i].action, "%s: %d (%s)", cases[i].name, action, why);
        ck_assert_msg(strcmp(why, cases[i].why) == 0, "%s: %s", cases[i].name, why);
    }
    world_fini(&world);
}
END_TEST

CLEAT_SUITE_MAIN("plan", test_plan)
