/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of definitions when they are written.
 */
#include "apiserver/crd.h"

#include "schema_fixture.h"

/* A definition out of its parts. */
#define SCHEMA "'schema':{'openAPIV3Schema':{'type':'object'}}"
#define VERSION(name, storage) "{'name':'" name "','served':true,'storage':" storage "," SCHEMA "}"
#define NAMES                                                                            \
    "'names':{'plural':'widgets','singular':'widget','kind':'Widget','listKind':'Widget" \
    "List'}"
#define CRD(spec, more) "{'metadata':{'name':'widgets.example.com'},'spec':{" spec "}" more "}"
#define SPEC(group, scope, names, versions) \
    "'group':'" group "','scope':'" scope "'," names ",'versions':[" versions "]"
#define SOUND SPEC("example.com", "Namespaced", NAMES, VERSION("v1", "true"))

static void expect_said(const char *object, const char *old, const char *words)
{
    struct said said;
    struct cleat_document *document = json_of(object);
    struct cleat_document *before = old ? json_of(old) : NULL;
    said_init(&said);
    ck_assert_int_eq(cleat_api_crd_check(cleat_document_root(document),
                                         before ? cleat_document_root(before) : CLEAT_VALUE_NONE,
                                         &said.report),
                     0);
    ck_assert_msg(words[0] ? strstr(said_text(&said), words) != NULL : said.report.count == 0,
                  "%s: %s, not %s", object, said_text(&said), words);
    ck_assert_uint_eq(said.report.path.length, 0);
    (void)cleat_document_unref(document);
    (void)cleat_document_unref(before);
    said_fini(&said);
}

START_TEST(test_written)
{
    static const struct {
        const char *object;
        const char *words;
    } cases[] = {
        {CRD(SOUND, ""), ""},
        {CRD(SPEC("example.com", "Cluster", NAMES,
                  VERSION("v1", "true") "," VERSION("v2", "false")),
             ""),
         ""},
        {CRD(SPEC("example.com", "Local", NAMES, VERSION("v1", "true")), ""),
         "spec.scope: Unsupported value: \"Local\": supported values: \"Cluster\", \"Namespaced\""},
        {CRD("'group':'example.com'," NAMES ",'versions':[" VERSION("v1", "true") "]", ""),
         "spec.scope: Required value"},
        {CRD("'scope':'Cluster'," NAMES ",'versions':[" VERSION("v1", "true") "]", ""),
         "spec.group: Required value"},
        {CRD(SPEC("example.org", "Cluster", NAMES, VERSION("v1", "true")), ""),
         "metadata.name: Invalid value: \"widgets.example.com\": must be "
         "spec.names.plural+\".\"+spec.group"},
        {CRD(SPEC("example", "Cluster", NAMES, VERSION("v1", "true")), ""),
         "spec.group: Invalid value: \"example\": should be a domain with at least one dot"},
        {CRD(SPEC("Example.com", "Cluster", NAMES, VERSION("v1", "true")), ""),
         "spec.group: Invalid value: \"Example.com\""},
        /* Names. */
        {CRD(SPEC("example.com", "Cluster",
                  "'names':{'plural':'widgets','kind':'Widget','listKind':'WidgetList'}",
                  VERSION("v1", "true")),
             ""),
         "spec.names.singular: Required value"},
        {CRD(SPEC("example.com", "Cluster",
                  "'names':{'plural':'widgets','singular':'Widget','kind':'Widget','listKind':"
                  "'WidgetList'}",
                  VERSION("v1", "true")),
             ""),
         "spec.names.singular: Invalid value: \"Widget\": a DNS-1035 label"},
        {CRD(SPEC("example.com", "Cluster",
                  "'names':{'plural':'widgets','singular':'widget','kind':'9Widget','listKind':"
                  "'WidgetList'}",
                  VERSION("v1", "true")),
             ""),
         "spec.names.kind: Invalid value: \"9Widget\": a DNS-1035 label"},
        {CRD(SPEC("example.com", "Cluster",
                  "'names':{'plural':'widgets','singular':'widget','kind':'Widget','listKind':"
                  "'Widget'}",
                  VERSION("v1", "true")),
             ""),
         "spec.names.listKind: Invalid value: \"Widget\": kind and listKind may not be the same"},
        {CRD(SPEC("example.com", "Cluster",
                  "'names':{'plural':'widgets','singular':'widget','kind':'Widget','listKind':"
                  "'WidgetList','shortNames':['w','W']}",
                  VERSION("v1", "true")),
             ""),
         "spec.names.shortNames[1]: Invalid value: \"W\": must be a DNS-1035 label"},
        /* Versions. */
        {CRD(SPEC("example.com", "Cluster", NAMES, ""), ""),
         "spec.versions: Required value: must have exactly one version marked as storage version"},
        {CRD(SPEC("example.com", "Cluster", NAMES, VERSION("v1", "false")), ""),
         "must have exactly one version marked as storage version"},
        {CRD(SPEC("example.com", "Cluster", NAMES, VERSION("v1", "true") "," VERSION("v2", "true")),
             ""),
         "must have exactly one version marked as storage version"},
        {CRD(SPEC("example.com", "Cluster", NAMES,
                  VERSION("v1", "true") "," VERSION("v1", "false")),
             ""),
         "spec.versions[1].name: Invalid value: \"v1\": must contain unique version names"},
        {CRD(SPEC("example.com", "Cluster", NAMES, VERSION("V1", "true")), ""),
         "spec.versions[0].name: Invalid value: \"V1\""},
        {CRD(SPEC("example.com", "Cluster", NAMES, "{'name':'v1','storage':true," SCHEMA "}"), ""),
         "spec.versions[0].served: Required value"},
        {CRD(SPEC("example.com", "Cluster", NAMES, "{'name':'v1','served':true," SCHEMA "}"), ""),
         "spec.versions[0].storage: Required value"},
        {CRD(SPEC("example.com", "Cluster", NAMES, "{'name':'v1','served':true,'storage':true}"),
             ""),
         "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"},
        {CRD(SPEC("example.com", "Cluster", NAMES,
                  "{'name':'v1','served':true,'storage':true,'schema':{'openAPIV3Schema':{'type':"
                  "'object','properties':{'spec':{}}}}}"),
             ""),
         "spec.versions[0].schema.openAPIV3Schema.properties[spec].type: Required value: must not "
         "be empty for specified object fields"},
        /* The rest. */
        {CRD(SOUND ",'conversion':{'strategy':'Webhook'}", ""),
         "spec.conversion.strategy: Unsupported value: \"Webhook\": supported values: \"None\""},
        {CRD(SOUND ",'conversion':{'strategy':'None'}", ""), ""},
        {CRD(SOUND ",'preserveUnknownFields':true", ""),
         "spec.preserveUnknownFields: Invalid value: true: cannot set to true"},
        {CRD(SOUND, ",'status':{'storedVersions':['v1']}"), ""},
        {CRD(SOUND, ",'status':{'storedVersions':['v1','v0']}"),
         "status.storedVersions[1]: Invalid value: \"v0\": must appear in spec.versions"},
        {"{}", "spec.versions: Required value"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_said(cases[i].object, NULL, cases[i].words);
}
END_TEST

#define ESTABLISHED ",'status':{'conditions':[{'type':'Established','status':'True'}]}"
#define OTHER_KIND                                                                       \
    "'names':{'plural':'widgets','singular':'widget','kind':'Gadget','listKind':'Gadget" \
    "List'}"

START_TEST(test_changed)
{
    const char *cluster = CRD(SPEC("example.com", "Cluster", NAMES, VERSION("v1", "true")), "");
    const char *gadget =
        CRD(SPEC("example.com", "Namespaced", OTHER_KIND, VERSION("v1", "true")), "");
    const char *more = CRD(
        SPEC("example.com", "Namespaced", NAMES, VERSION("v1", "false") "," VERSION("v2", "true")),
        "");
    const char *served = CRD(SOUND, ESTABLISHED);
    expect_said(cluster, served, "spec.scope: Invalid value: \"Cluster\": field is immutable");
    expect_said(gadget, served, "spec.names.kind: Invalid value: \"Gadget\": field is immutable");
    expect_said(more, served, "");
    /* What was never served may still become anything. */
    expect_said(cluster, CRD(SOUND, ""), "");
    expect_said(gadget,
                CRD(SOUND, ",'status':{'conditions':[{'type':'Established','status':'False'}]}"),
                "");
}
END_TEST

/* More versions than are kept: said, and nothing worse. */
START_TEST(test_too_many_versions)
{
    char versions[4096] = "";
    char object[8192];
    for (int i = 1; i <= CLEAT_API_VERSIONS_MAX + 1; i++) {
        size_t length = strlen(versions);
        snprintf(versions + length, sizeof(versions) - length,
                 "%s{'name':'v%d','served':true,'storage':%s," SCHEMA "}", i > 1 ? "," : "", i,
                 i > 1 ? "false" : "true");
    }
    snprintf(object, sizeof(object), CRD(SPEC("example.com", "Cluster", NAMES, "%s"), ""),
             versions);
    expect_said(object, NULL, "spec.versions: Too many: 9: must have at most 8 items");
}
END_TEST

CLEAT_SUITE_MAIN("crd-check", test_written, test_changed, test_too_many_versions)
