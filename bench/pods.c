/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pods.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#define PODS_NAMESPACES 200
#define PODS_SETS 2000
#define PODS_PER_SET 50 /* one after another, as a list in the order of names has them */
#define PODS_NODES 500
#define PODS_CONTAINERS 2
#define PODS_START_UNIX_S 1756684800 /* 2025-09-01T00:00:00Z */
#define PODS_SPAN_S (60 * 86400)

/* A stream of numbers from a seed (SplitMix64). */
struct pods_random {
    uint64_t state;
};

static uint64_t random_next(struct pods_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t random_below(struct pods_random *random, uint64_t bound)
{
    return random_next(random) % bound;
}

static struct pods_random random_of(uint64_t seed, uint64_t stream, uint64_t index)
{
    struct pods_random random = {seed * 0x2545f4914f6cdd1du + stream * 0x9e3779b97f4a7c15u + index};
    (void)random_next(&random);
    return random;
}

/* What a pod is made of. */
struct pod {
    uint64_t set, node, round;
    uint64_t version;
    int64_t created_unix_s;
    char app[24];
    char namespace_[24];
    char hash[12];  /* of the pod's template */
    char suffix[8]; /* of its name */
    char access[8]; /* of its token volume */
    char uid[40];
    char owner[40];
    char ip[16];
    char host_ip[16];
    char containers[PODS_CONTAINERS + 1][65];
    char digests[PODS_CONTAINERS + 1][65];
};

static void text_letters(struct pods_random *random, char *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = "bcdfghjklmnpqrstvwxz2456789"[random_below(random, 27)];
    out[count] = '\0';
}

static void text_hex(struct pods_random *random, char *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = "0123456789abcdef"[random_below(random, 16)];
    out[count] = '\0';
}

static void text_uuid(struct pods_random *random, char out[40])
{
    text_hex(random, out, 36);
    out[8] = out[13] = out[18] = out[23] = '-';
    out[14] = '4';
    out[19] = "89ab"[random_below(random, 4)];
}

CLEAT_PRINTF(3, 4)
static void text_format(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(out, size, format, arguments); /* sizes are chosen to fit */
    va_end(arguments);
}

static struct pod pod_make(uint64_t seed, uint64_t index, uint64_t round)
{
    static const char *const apps[] = {"web",    "api",     "worker", "checkout", "search",
                                       "ledger", "gateway", "mailer", "catalog",  "session"};
    struct pods_random own = random_of(seed, 1, index);
    struct pod pod = {.set = index / PODS_PER_SET % PODS_SETS, .round = round};
    struct pods_random set = random_of(seed, 2, pod.set);
    text_format(pod.app, sizeof(pod.app), "%s-%u", apps[pod.set % 10], (unsigned)(pod.set / 10));
    text_format(pod.namespace_, sizeof(pod.namespace_), "team-%03u",
                (unsigned)(pod.set % PODS_NAMESPACES));
    text_letters(&set, pod.hash, 10);
    text_uuid(&set, pod.owner);
    for (size_t i = 0; i <= PODS_CONTAINERS; i++) {
        struct pods_random image = random_of(seed, 3 + i, i == 0 ? pod.set / 4 : pod.set % 7);
        text_hex(&image, pod.digests[i], 64);
        text_hex(&own, pod.containers[i], 64);
    }
    pod.node = random_below(&own, PODS_NODES);
    pod.created_unix_s = PODS_START_UNIX_S + (int64_t)random_below(&own, PODS_SPAN_S);
    pod.version = 1000000 + index * 7 + random_below(&own, 7) + round * 100000000;
    text_letters(&own, pod.suffix, 5);
    text_letters(&own, pod.access, 5);
    text_uuid(&own, pod.uid);
    text_format(pod.ip, sizeof(pod.ip), "10.%u.%u.%u", (unsigned)(64 + (pod.node >> 8)),
                (unsigned)(pod.node & 255), (unsigned)(2 + index % 250));
    text_format(pod.host_ip, sizeof(pod.host_ip), "172.16.%u.%u", (unsigned)(pod.node >> 8),
                (unsigned)(pod.node & 255));
    return pod;
}

/* Days to a date, after 1970 and before 2100. */
static void time_append(struct cleat_buffer *buffer, const char *before, int64_t unix_s)
{
    static const int days_of[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = unix_s / 86400, rest = unix_s % 86400;
    int year = 1970, month = 0;
    for (;; year++) {
        int length = year % 4 == 0 ? 366 : 365;
        if (days < length)
            break;
        days -= length;
    }
    for (;; month++) {
        int length = days_of[month] + (month == 1 && year % 4 == 0);
        if (days < length)
            break;
        days -= length;
    }
    cleat_buffer_format(buffer, "%s\"%04d-%02d-%02dT%02d:%02d:%02dZ\"", before, year, month + 1,
                        (int)days + 1, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}

static void metadata_append(struct cleat_buffer *buffer, const struct pod *pod)
{
    cleat_buffer_format(buffer,
                        "\"metadata\":{\"name\":\"%s-%s-%s\",\"generateName\":\"%s-%s-\","
                        "\"namespace\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"%llu\"",
                        pod->app, pod->hash, pod->suffix, pod->app, pod->hash, pod->namespace_,
                        pod->uid, (unsigned long long)pod->version);
    time_append(buffer, ",\"creationTimestamp\":", pod->created_unix_s);
    cleat_buffer_format(
        buffer,
        ",\"labels\":{\"app.kubernetes.io/component\":\"server\","
        "\"app.kubernetes.io/instance\":\"%s\",\"app.kubernetes.io/managed-by\":\"Helm\","
        "\"app.kubernetes.io/name\":\"%s\",\"app.kubernetes.io/version\":\"1.%u.%u\","
        "\"pod-template-hash\":\"%s\",\"team\":\"%s\",\"tier\":\"%s\"}",
        pod->app, pod->app, (unsigned)(pod->set % 30), (unsigned)(pod->set % 11), pod->hash,
        pod->namespace_, pod->set % 3 == 0 ? "frontend" : "backend");
    cleat_buffer_format(buffer,
                        ",\"annotations\":{\"checksum/config\":\"%s\","
                        "\"kubectl.kubernetes.io/default-container\":\"app\",\"prometheus.io/"
                        "port\":\"9090\",\"prometheus.io/scrape\":\"true\"}",
                        pod->digests[0]);
    cleat_buffer_format(
        buffer,
        ",\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\","
        "\"name\":\"%s-%s\",\"uid\":\"%s\",\"controller\":true,\"blockOwnerDeletion\":true}]",
        pod->app, pod->hash, pod->owner);
}

static void managed_append(struct cleat_buffer *buffer, const struct pod *pod)
{
    cleat_buffer_format(buffer, ",\"managedFields\":[{\"manager\":\"kube-controller-manager\","
                                "\"operation\":\"Update\",\"apiVersion\":\"v1\"");
    time_append(buffer, ",\"time\":", pod->created_unix_s);
    cleat_buffer_format(
        buffer,
        ",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:metadata\":{\"f:annotations\":{\".\":{},"
        "\"f:checksum/config\":{},\"f:kubectl.kubernetes.io/default-container\":{},"
        "\"f:prometheus.io/path\":{},\"f:prometheus.io/port\":{},\"f:prometheus.io/scrape\":{}},"
        "\"f:generateName\":{},\"f:labels\":{\".\":{},\"f:app.kubernetes.io/component\":{},"
        "\"f:app.kubernetes.io/instance\":{},\"f:app.kubernetes.io/managed-by\":{},"
        "\"f:app.kubernetes.io/name\":{},\"f:app.kubernetes.io/version\":{},"
        "\"f:pod-template-hash\":{},\"f:team\":{},\"f:tier\":{}},\"f:ownerReferences\":{\".\":{},"
        "\"k:{\\\"uid\\\":\\\"%s\\\"}\":{}}},\"f:spec\":{\"f:containers\":{"
        "\"k:{\\\"name\\\":\\\"app\\\"}\":{\".\":{},\"f:env\":{\".\":{},"
        "\"k:{\\\"name\\\":\\\"DATABASE_PASSWORD\\\"}\":{\".\":{},\"f:name\":{},\"f:valueFrom\":{"
        "\".\":{},"
        "\"f:secretKeyRef\":{}}},\"k:{\\\"name\\\":\\\"LOG_LEVEL\\\"}\":{\".\":{},\"f:name\":{},"
        "\"f:value\":{}}},\"f:image\":{},\"f:imagePullPolicy\":{},\"f:livenessProbe\":{\".\":{},"
        "\"f:failureThreshold\":{},\"f:httpGet\":{\".\":{},\"f:path\":{},\"f:port\":{}}},\"f:"
        "name\":{},"
        "\"f:ports\":{\".\":{},\"k:{\\\"containerPort\\\":8080,\\\"protocol\\\":\\\"TCP\\\"}\":{\"."
        "\":{},"
        "\"f:containerPort\":{},\"f:name\":{},\"f:protocol\":{}}},\"f:resources\":{\".\":{},\"f:"
        "limits\":"
        "{\".\":{},\"f:memory\":{}},\"f:requests\":{\".\":{},\"f:cpu\":{},\"f:memory\":{}}}},"
        "\"k:{\\\"name\\\":\\\"proxy\\\"}\":{\".\":{},\"f:image\":{},\"f:name\":{},\"f:resources\":"
        "{}}},"
        "\"f:volumes\":{\".\":{},\"k:{\\\"name\\\":\\\"config\\\"}\":{\".\":{},\"f:configMap\":{\"."
        "\":{},"
        "\"f:defaultMode\":{},\"f:name\":{}},\"f:name\":{}},\"k:{\\\"name\\\":\\\"tmp\\\"}\":{\"."
        "\":{},\"f:emptyDir\":{},\"f:name\":{}}},"
        "\"f:dnsPolicy\":{},\"f:enableServiceLinks\":{},\"f:restartPolicy\":{},\"f:schedulerName\":"
        "{},"
        "\"f:securityContext\":{},\"f:terminationGracePeriodSeconds\":{}}}}",
        pod->owner);
    cleat_buffer_format(buffer,
                        ",{\"manager\":\"kubelet\",\"operation\":\"Update\",\"apiVersion\":\"v1\"");
    time_append(buffer, ",\"time\":", pod->created_unix_s + 31 + (int64_t)(pod->version % 50));
    cleat_buffer_format(
        buffer,
        ",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:status\":{\"f:conditions\":{"
        "\"k:{\\\"type\\\":\\\"ContainersReady\\\"}\":{\".\":{},\"f:lastProbeTime\":{},"
        "\"f:lastTransitionTime\":{},\"f:status\":{},\"f:type\":{}}},\"f:containerStatuses\":{},"
        "\"f:hostIP\":{},\"f:phase\":{},\"f:podIP\":{},\"f:startTime\":{}}},"
        "\"subresource\":\"status\"}]");
}

static void volumes_append(struct cleat_buffer *buffer, const struct pod *pod)
{
    cleat_buffer_format(
        buffer,
        "\"volumes\":[{\"name\":\"config\",\"configMap\":{\"name\":\"%s-config\",\"defaultMode\":"
        "420}},"
        "{\"name\":\"kube-api-access-%s\",\"projected\":{"
        "\"sources\":["
        "{\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":\"token\"}},"
        "{\"configMap\":{\"name\":\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\","
        "\"path\":\"ca.crt\"}]}},{\"downwardAPI\":{\"items\":[{\"path\":\"namespace\",\"fieldRef\":"
        "{"
        "\"apiVersion\":\"v1\",\"fieldPath\":\"metadata.namespace\"}}]}}],\"defaultMode\":420}}]",
        pod->app, pod->access);
}

/* Written by hand so that a line is a member. */
/* clang-format off */
static void container_append(struct cleat_buffer *buffer, const struct pod *pod, const char *name,
                             const char *image, unsigned port)
{
    cleat_buffer_format(buffer, "{\"name\":\"%s\",\"image\":\"quay.io/%s:1.%u.%u\"",
                        name, image, (unsigned)(pod->set % 30), (unsigned)(pod->set % 11));
    if (port > 0)
        cleat_buffer_format(buffer,
            ",\"ports\":[{\"name\":\"http\",\"containerPort\":%u,\"protocol\":\"TCP\"}],"
            "\"env\":[{\"name\":\"LOG_LEVEL\",\"value\":\"info\"},"
            "{\"name\":\"TOKEN\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"%s-db\",\"key\":\"token\"}}}],"
            "\"resources\":{\"limits\":{\"memory\":\"%uMi\"},"
            "\"requests\":{\"cpu\":\"%um\",\"memory\":\"%uMi\"}}",
            port, pod->app, (unsigned)(256 << pod->set % 3), (unsigned)(100 + pod->set % 5 * 50),
            (unsigned)(128 << pod->set % 3));
    else
        cleat_buffer_format(buffer, ",\"command\":[\"/bin/migrate\",\"--wait\"],\"resources\":{}");
    cleat_buffer_format(buffer,
        ",\"volumeMounts\":[{\"name\":\"config\",\"readOnly\":true,\"mountPath\":\"/etc/%s\"},"
        "{\"name\":\"kube-api-access-%s\",\"readOnly\":true,"
        "\"mountPath\":\"/var/run/secrets/kubernetes.io/serviceaccount\"}]",
        pod->app, pod->access);
    if (port == 8080)
        cleat_buffer_format(buffer,
            ",\"livenessProbe\":{\"httpGet\":{\"path\":\"/healthz\",\"port\":\"http\",\"scheme\":\"HTTP\"},"
            "\"timeoutSeconds\":1,\"periodSeconds\":10,\"successThreshold\":1,\"failureThreshold\":3},"
            "\"terminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":\"File\"");
    cleat_buffer_format(buffer, ",\"imagePullPolicy\":\"IfNotPresent\"}");
}
/* clang-format on */

static void spec_append(struct cleat_buffer *buffer, const struct pod *pod)
{
    cleat_buffer_text(buffer, "\"spec\":{");
    volumes_append(buffer, pod);
    cleat_buffer_text(buffer, ",\"initContainers\":[");
    container_append(buffer, pod, "migrate", "platform/migrate", 0);
    cleat_buffer_text(buffer, "],\"containers\":[");
    container_append(buffer, pod, "app", pod->app, 8080);
    cleat_buffer_text(buffer, ",");
    container_append(buffer, pod, "proxy", "platform/proxy", 9090);
    cleat_buffer_format(
        buffer,
        "],\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds\":30,"
        "\"dnsPolicy\":\"ClusterFirst\",\"serviceAccountName\":\"%s\",\"serviceAccount\":\"%s\","
        "\"nodeName\":\"node-%03u\",\"securityContext\":{\"runAsUser\":"
        "1000,"
        "\"fsGroup\":1000,\"seccompProfile\":{\"type\":\"RuntimeDefault\"}},"
        "\"schedulerName\":\"default-scheduler\",\"tolerations\":["
        "{\"key\":\"node.kubernetes.io/"
        "not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\","
        "\"tolerationSeconds\":300},{\"key\":\"node.kubernetes.io/"
        "unreachable\",\"operator\":\"Exists\","
        "\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],\"priority\":0,"
        "\"enableServiceLinks\":true,\"preemptionPolicy\":\"PreemptLowerPriority\"}",
        pod->app, pod->app, (unsigned)pod->node);
}

static void condition_append(struct cleat_buffer *buffer, const char *type, const char *status,
                             int64_t unix_s)
{
    cleat_buffer_format(buffer, "{\"type\":\"%s\",\"status\":\"%s\",\"lastProbeTime\":null", type,
                        status);
    time_append(buffer, ",\"lastTransitionTime\":", unix_s);
    cleat_buffer_text(buffer, "}");
}

static void status_append(struct cleat_buffer *buffer, const struct pod *pod)
{
    int64_t initialised = pod->created_unix_s + 2 + (int64_t)(pod->version % 9);
    int64_t ready = pod->created_unix_s + 30 + (int64_t)(pod->version % 50) + (int64_t)pod->round;
    cleat_buffer_text(buffer, "\"status\":{\"phase\":\"Running\",\"conditions\":[");
    condition_append(buffer, "Initialized", "True", initialised);
    cleat_buffer_text(buffer, ",");
    condition_append(buffer, "Ready", pod->round % 2 ? "False" : "True", ready);
    cleat_buffer_text(buffer, ",");
    condition_append(buffer, "ContainersReady", pod->round % 2 ? "False" : "True", ready);
    cleat_buffer_text(buffer, ",");
    condition_append(buffer, "PodScheduled", "True", pod->created_unix_s);
    cleat_buffer_format(buffer,
                        "],\"hostIP\":\"%s\",\"hostIPs\":[{\"ip\":\"%s\"}],\"podIP\":\"%s\","
                        "\"podIPs\":[{\"ip\":\"%s\"}]",
                        pod->host_ip, pod->host_ip, pod->ip, pod->ip);
    time_append(buffer, ",\"startTime\":", pod->created_unix_s);
    for (unsigned i = 0; i <= PODS_CONTAINERS; i++) {
        static const char *const names[] = {"app", "proxy", "migrate"};
        unsigned which = (i + PODS_CONTAINERS) % (PODS_CONTAINERS + 1); /* the first one first */
        bool first = which == PODS_CONTAINERS;
        const char *image = which == 0   ? pod->app
                            : which == 1 ? "platform/proxy"
                                         : "platform/migrate";
        cleat_buffer_text(buffer, first        ? ",\"initContainerStatuses\":["
                                  : which == 0 ? "],\"containerStatuses\":["
                                               : ",");
        cleat_buffer_format(buffer, "{\"name\":\"%s\",\"state\":{", names[which]);
        cleat_buffer_text(buffer, first ? "\"terminated\":{\"exitCode\":0,\"reason\":\"Completed\""
                                        : "\"running\":{");
        time_append(buffer, first ? ",\"startedAt\":" : "\"startedAt\":",
                    first ? initialised - 1 : initialised + which + 1);
        if (first)
            time_append(buffer, ",\"finishedAt\":", initialised);
        cleat_buffer_format(buffer,
                            "}},\"lastState\":{},\"ready\":true,\"restartCount\":0,"
                            "\"image\":\"quay.io/%s:1.%u.%u\",\"imageID\":"
                            "\"quay.io/%s@sha256:%s\",\"containerID\":\"containerd://"
                            "%s\",\"started\":%s}",
                            image, (unsigned)(pod->set % 30), (unsigned)(pod->set % 11), image,
                            pod->digests[which], pod->containers[which], first ? "false" : "true");
    }
    cleat_buffer_text(buffer, "],\"qosClass\":\"Burstable\"}");
}

static void pod_append(struct cleat_buffer *buffer, const struct pod *pod)
{
    metadata_append(buffer, pod);
    managed_append(buffer, pod);
    cleat_buffer_text(buffer, "},");
    spec_append(buffer, pod);
    cleat_buffer_text(buffer, ",");
    status_append(buffer, pod);
    cleat_buffer_text(buffer, "}");
}

void pods_write(struct cleat_buffer *buffer, uint64_t seed, uint64_t index)
{
    struct pod pod = pod_make(seed, index, 0);
    cleat_buffer_text(buffer, "{");
    pod_append(buffer, &pod);
}

void pods_write_list(struct cleat_buffer *buffer, uint64_t seed, uint64_t count)
{
    cleat_buffer_text(buffer, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{"
                              "\"resourceVersion\":\"99000000\"},\"items\":[");
    for (uint64_t i = 0; i < count; i++) {
        cleat_buffer_text(buffer, i > 0 ? "," : "");
        pods_write(buffer, seed, i);
    }
    cleat_buffer_text(buffer, "]}\n");
}

void pods_write_whole(struct cleat_buffer *buffer, uint64_t seed, uint64_t index, uint64_t round)
{
    struct pod pod = pod_make(seed, index, round);
    cleat_buffer_text(buffer, "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",");
    pod_append(buffer, &pod);
}

void pods_write_event(struct cleat_buffer *buffer, uint64_t seed, uint64_t index, uint64_t round)
{
    cleat_buffer_text(buffer, "{\"type\":\"MODIFIED\",\"object\":");
    pods_write_whole(buffer, seed, index, round);
    cleat_buffer_text(buffer, "}\n");
}
