/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/status.h>

#include <cleat/write.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

struct status_row {
    const char *reason;
    int code;
    int error; /* positive errno */
};

static const struct status_row status_rows[] = {
#define CLEAT_STATUS_REASON(reason, code, error) {(reason), (code), (error)},
#include "kube/status_reasons.def"
#undef CLEAT_STATUS_REASON
};

#define STATUS_ROWS (sizeof(status_rows) / sizeof(status_rows[0]))

/* The row of a reason, or NULL. */
static const struct status_row *status_by_reason(struct cleat_str reason)
{
    for (size_t i = 0; i < STATUS_ROWS; i++)
        if (cleat_str_is(reason, status_rows[i].reason))
            return &status_rows[i];
    return NULL;
}

/* The first row of a code, or NULL. */
static const struct status_row *status_by_code(int code)
{
    for (size_t i = 0; i < STATUS_ROWS; i++)
        if (status_rows[i].code == code)
            return &status_rows[i];
    return NULL;
}

const char *cleat_status_reason(int code)
{
    const struct status_row *row = status_by_code(code);
    return row ? row->reason : "Unknown";
}

int cleat_status_code(const char *reason)
{
    const struct status_row *row = status_by_reason(cleat_str_of(reason));
    return row ? row->code : 0;
}

bool cleat_status_is(const struct cleat_err *err, const char *reason)
{
    if (!err || err->code == 0)
        return false;
    if (status_by_reason(cleat_str_of(err->reason)))
        return strcmp(err->reason, reason) == 0;
    /* A reason that nobody knows: the code decides, except for what it can't tell apart. */
    const struct status_row *row = status_by_code(err->http_status);
    return row && strcmp(row->reason, reason) == 0;
}

/* Writing */

static void status_member(struct cleat_buffer *buffer, char separator, const char *key,
                          const char *text)
{
    if (!text)
        return;
    cleat_buffer_byte(buffer, separator);
    cleat_write_string(buffer, cleat_str_of(key));
    cleat_buffer_byte(buffer, ':');
    cleat_write_string(buffer, cleat_str_of(text));
}

static void status_write_causes(const struct cleat_status *status, struct cleat_buffer *buffer)
{
    for (size_t i = 0; i < status->cause_count; i++) {
        const struct cleat_status_cause *cause = &status->causes[i];
        cleat_buffer_text(buffer, i ? "," : "");
        status_member(buffer, '{', "reason", cause->reason ? cause->reason : "");
        status_member(buffer, ',', "message", cause->message);
        status_member(buffer, ',', "field", cause->field);
        cleat_buffer_byte(buffer, '}');
    }
}

static bool status_has_details(const struct cleat_status *status)
{
    return status->group || status->kind || status->name || status->uid || status->cause_count ||
           status->retry_after_s;
}

static void status_write_details(const struct cleat_status *status, struct cleat_buffer *buffer)
{
    char separator = '{';
    const char *const members[][2] = {{"name", status->name},
                                      {"group", status->group},
                                      {"kind", status->kind},
                                      {"uid", status->uid}};
    cleat_buffer_text(buffer, ",\"details\":");
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (!members[i][1] || !members[i][1][0])
            continue;
        status_member(buffer, separator, members[i][0], members[i][1]);
        separator = ',';
    }
    if (status->cause_count) {
        cleat_buffer_format(buffer, "%c\"causes\":[", separator);
        status_write_causes(status, buffer);
        cleat_buffer_byte(buffer, ']');
        separator = ',';
    }
    if (status->retry_after_s) {
        cleat_buffer_format(buffer, "%c\"retryAfterSeconds\":%d", separator, status->retry_after_s);
        separator = ',';
    }
    cleat_buffer_text(buffer, separator == '{' ? "{}" : "}");
}

int cleat_status_write(const struct cleat_status *status, struct cleat_buffer *buffer)
{
    bool failure = status->code >= 400;
    const char *reason = status->reason;
    if (!reason && failure)
        reason = cleat_status_reason(status->code);
    cleat_buffer_text(buffer, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{}");
    status_member(buffer, ',', "status", failure ? "Failure" : "Success");
    status_member(buffer, ',', "message", status->message);
    status_member(buffer, ',', "reason", reason);
    if (status_has_details(status))
        status_write_details(status, buffer);
    cleat_buffer_format(buffer, ",\"code\":%d}", status->code);
    return buffer->failed;
}

/* Reading */

/* Appends the causes whose field the message doesn't name already. */
static void status_read_causes(struct cleat_value causes, struct cleat_buffer *text)
{
    size_t message_length = text->length;
    const char *separator = ": ";
    for (size_t i = 0; i < cleat_value_count(causes) && text->length < CLEAT_ERR_TEXT_BYTES_MAX;
         i++) {
        struct cleat_value cause = cleat_value_at(causes, i);
        struct cleat_scratch field_scratch;
        struct cleat_scratch scratch;
        struct cleat_str field = cleat_value_text(cleat_value_get(cause, "field"), &field_scratch);
        struct cleat_str message = cleat_value_text(cleat_value_get(cause, "message"), &scratch);
        if (field.length && message_length &&
            memmem(text->data, message_length, field.data, field.length))
            continue;
        cleat_buffer_text(text, separator);
        cleat_buffer_str(text, field);
        cleat_buffer_text(text, field.length && message.length ? ": " : "");
        cleat_buffer_str(text, message);
        separator = ", ";
    }
}

/* The text of a Status, or "" in @text. */
static void status_read_text(struct cleat_value root, struct cleat_buffer *text)
{
    struct cleat_scratch scratch;
    cleat_buffer_str(text, cleat_value_text(cleat_value_get(root, "message"), &scratch));
    status_read_causes(cleat_value_get(cleat_value_get(root, "details"), "causes"), text);
}

/* What a code means where the body doesn't say it. */
static struct status_row status_bare(int code, bool post)
{
    if (code == 409 && post)
        return (struct status_row){"AlreadyExists", 409, EEXIST};
    const struct status_row *row = status_by_code(code);
    if (row)
        return *row;
    return (struct status_row){"Unknown", code, code >= 500 ? EIO : code >= 400 ? EINVAL : EPROTO};
}

int cleat_status_decode(int code, struct cleat_value root, bool post, struct cleat_err *err)
{
    char bytes[CLEAT_ERR_TEXT_BYTES_MAX];
    struct cleat_scratch scratch;
    bool is_status = cleat_value_is(cleat_value_get(root, "kind"), "Status");
    if (!is_status)
        root = CLEAT_VALUE_NONE;
    int64_t own_code = cleat_value_int_or(cleat_value_get(root, "code"), 0);
    if (code < 400 && own_code >= 400 && own_code < 600)
        code = (int)own_code;
    struct cleat_str reason = cleat_value_text(cleat_value_get(root, "reason"), &scratch);
    const struct status_row *known = status_by_reason(reason);
    struct status_row row = known ? *known : status_bare(code ? code : 500, post && !reason.length);
    if (!err)
        return -row.error;
    if (err->code)
        return err->code;

    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    status_read_text(root, &text);
    if (text.length)
        snprintf(bytes, sizeof(bytes), "%s", text.data);
    else
        snprintf(bytes, sizeof(bytes), "server answered %d (%s)", code, row.reason);
    cleat_buffer_fini(&text);
    (void)cleat_err_set(err, -row.error, "%s", bytes); /* the code is returned below */
    err->http_status = code;
    int64_t retry_s = cleat_value_int_or(
        cleat_value_get(cleat_value_get(root, "details"), "retryAfterSeconds"), 0);
    if (retry_s > 0 && retry_s < 1000000)
        err->retry_after_ms = retry_s * 1000;
    if (!known && reason.length)
        snprintf(err->reason, sizeof(err->reason), "%.*s", CLEAT_STR_ARG(reason));
    else
        snprintf(err->reason, sizeof(err->reason), "%s", row.reason);
    return -row.error;
}
