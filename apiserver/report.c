/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/report.h"

#include <errno.h>
#include <cleat/write.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "apiserver/verbs.h"
#include "base/limits.h"

#define REPORT_DETAIL_BYTES_MAX (4 * CLEAT_KIB)
#define REPORT_VALUE_BYTES 256

void cleat_api_report_init(struct cleat_api_report *report,
                           void (*fn)(void *arg, const char *reason, const char *field,
                                      const char *detail),
                           void *arg)
{
    *report = (struct cleat_api_report){.fn = fn, .arg = arg};
    cleat_buffer_init(&report->path, CLEAT_API_PATH_BYTES_MAX);
}

void cleat_api_report_fini(struct cleat_api_report *report)
{
    cleat_buffer_fini(&report->path);
}

static bool report_is_plain(struct cleat_str key)
{
    for (size_t i = 0; i < key.length; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$",
                    key.data[i]) ||
            !key.data[i])
            return false;
    return key.length > 0;
}

size_t cleat_api_report_key(struct cleat_api_report *report, struct cleat_str key)
{
    size_t mark = report->path.length;
    cleat_buffer_byte(&report->path, '[');
    cleat_buffer_str(&report->path, key);
    cleat_buffer_byte(&report->path, ']');
    return mark;
}

size_t cleat_api_report_enter(struct cleat_api_report *report, struct cleat_str key)
{
    size_t mark = report->path.length;
    if (!report_is_plain(key))
        return cleat_api_report_key(report, key);
    if (mark)
        cleat_buffer_byte(&report->path, '.');
    cleat_buffer_str(&report->path, key);
    return mark;
}

size_t cleat_api_report_field(struct cleat_api_report *report, const char *key)
{
    return cleat_api_report_enter(report, cleat_str_of(key));
}

size_t cleat_api_report_index(struct cleat_api_report *report, size_t index)
{
    size_t mark = report->path.length;
    cleat_buffer_format(&report->path, "[%zu]", index);
    return mark;
}

size_t cleat_api_report_at(struct cleat_api_report *report, const char *format, ...)
{
    char text[1024];
    size_t mark = report->path.length;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (mark && text[0] != '[')
        cleat_buffer_byte(&report->path, '.');
    cleat_buffer_text(&report->path, text);
    return mark;
}

void cleat_api_report_leave(struct cleat_api_report *report, size_t mark)
{
    if (mark > report->path.length)
        return;
    report->path.length = mark;
    report->path.failed = 0; /* what was too long is gone again */
    if (report->path.data)
        report->path.data[mark] = 0;
}

const char *cleat_api_report_path(const struct cleat_api_report *report)
{
    return report->path.length ? report->path.data : "<nil>";
}

void cleat_api_report_add(struct cleat_api_report *report, const char *reason, const char *format,
                          ...)
{
    char detail[REPORT_DETAIL_BYTES_MAX];
    report->count++;
    if (!report->fn)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    report->fn(report->arg, reason, cleat_api_report_path(report), detail);
}

void cleat_api_report_required(struct cleat_api_report *report, const char *why)
{
    cleat_api_report_add(report, "FieldValueRequired", "Required value%s%s", why[0] ? ": " : "",
                         why);
}

void cleat_api_report_value(struct cleat_buffer *buffer, struct cleat_value value)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(64 * CLEAT_KIB);
    if (!cleat_value_is_present(value))
        cleat_buffer_text(&text, "\"\"");
    else if (cleat_write_json(&text, value, NULL) != 0)
        text.failed = -ENOBUFS; /* what is too long to show isn't shown */
    struct cleat_str view = cleat_buffer_view(&text);
    if (text.failed || view.length > REPORT_VALUE_BYTES)
        cleat_buffer_text(buffer, "<value omitted>");
    else
        cleat_buffer_str(buffer, view);
    cleat_buffer_fini(&text);
}

void cleat_api_report_invalid(struct cleat_api_report *report, struct cleat_value value,
                              const char *format, ...)
{
    char detail[REPORT_DETAIL_BYTES_MAX / 2];
    struct cleat_buffer shown = CLEAT_BUFFER_INIT(REPORT_DETAIL_BYTES_MAX / 2);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    cleat_api_report_value(&shown, value);
    cleat_api_report_add(report, "FieldValueInvalid", "Invalid value: %s: %s",
                         shown.data ? shown.data : "", detail);
    cleat_buffer_fini(&shown);
}

void cleat_api_report_unsupported(struct cleat_api_report *report, struct cleat_value value,
                                  const char *const *supported)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(REPORT_DETAIL_BYTES_MAX / 2);
    cleat_api_report_value(&text, value);
    for (size_t i = 0; supported[i]; i++)
        cleat_buffer_format(&text, "%s\"%s\"", i ? ", " : ": supported values: ", supported[i]);
    cleat_api_report_add(report, "FieldValueNotSupported", "Unsupported value: %s",
                         text.data ? text.data : "");
    cleat_buffer_fini(&text);
}

void cleat_api_report_fail(void *arg, const char *reason, const char *field, const char *detail)
{
    const struct cleat_api_report_sink *sink = arg;
    (void)cleat_api_fail_invalid(sink->failure, sink->resource, sink->name, reason, field, "%s",
                                 detail);
}
