/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error texts hold no control bytes and no malformed UTF-8, whatever was formatted into them: they
 * end in logs, terminals and JSON answers.
 */
#include <cleat/err.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Copies @text with its unprintable bytes escaped, as far as it fits. */
static void err_copy(char *out, size_t size, struct cleat_str text)
{
    size_t used = 0;
    size_t at = 0;
    while (at < text.length) {
        char escaped[8];
        size_t covers = cleat_utf8_escape(text.data + at, text.length - at, escaped);
        const char *from = escaped[0] ? escaped : text.data + at;
        size_t bytes = escaped[0] ? strlen(escaped) : covers;
        if (used + bytes >= size)
            break;
        memcpy(out + used, from, bytes);
        used += bytes;
        at += covers;
    }
    out[used] = '\0';
}

static void err_format(char *out, size_t size, const char *format, va_list args) CLEAT_PRINTF(3, 0);

static void err_format(char *out, size_t size, const char *format, va_list args)
{
    char raw[CLEAT_ERR_TEXT_BYTES_MAX];
    int length = vsnprintf(raw, sizeof(raw), format, args);
    struct cleat_str text = {raw, length < 0 ? 0 : strlen(raw)};
    if (length >= (int)sizeof(raw)) {
        /* The cut may have split a character; what is left of it isn't malformed input. */
        for (size_t back = 1; back <= 3 && back <= text.length; back++) {
            unsigned char lead = (unsigned char)raw[text.length - back];
            if (lead >= 0xc0) {
                text.length -= cleat_utf8_length(raw + text.length - back, back) ? 0 : back;
                break;
            }
        }
    }
    err_copy(out, size, text);
}

int cleat_err_set_at(struct cleat_err *err, int code, const char *file, const char *func, int line,
                     const char *format, ...)
{
    if (!err || err->code != 0)
        return code;
    err->code = code;
    err->file = file;
    err->func = func;
    err->line = line;
    va_list args;
    va_start(args, format);
    err_format(err->text, sizeof(err->text), format, args);
    va_end(args);
    return code;
}

void cleat_err_prefix(struct cleat_err *err, const char *format, ...)
{
    if (!err || err->code == 0)
        return;
    char prefix[CLEAT_ERR_TEXT_BYTES_MAX];
    char whole[2 * CLEAT_ERR_TEXT_BYTES_MAX + 2];
    va_list args;
    va_start(args, format);
    err_format(prefix, sizeof(prefix), format, args);
    va_end(args);
    (void)snprintf(whole, sizeof(whole), "%s: %s", prefix, cleat_err_text(err));
    err_copy(err->text, sizeof(err->text), cleat_str_of(whole));
}

void cleat_err_clear(struct cleat_err *err)
{
    if (err)
        *err = (struct cleat_err)CLEAT_ERR_INIT;
}

const char *cleat_err_text(const struct cleat_err *err)
{
    if (!err || err->code == 0)
        return "no error";
    if (err->text[0])
        return err->text;
    const char *name = strerrorname_np(err->code < 0 ? -err->code : err->code);
    return name ? name : "unknown error";
}
