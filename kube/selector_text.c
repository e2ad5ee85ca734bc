/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text form of label selectors: apimachinery's grammar. "in" and "notin" are operators only
 * behind a key; elsewhere they are names like others. An empty value may be written as nothing at
 * all: "a=", "a in (,b)".
 */
#include "kube/selector_parts.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"

enum selector_token {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA,
    TOKEN_NOT,
    TOKEN_EQUAL,
    TOKEN_NOT_EQUAL,
    TOKEN_GREATER,
    TOKEN_LESS,
    TOKEN_WRONG,
};

struct selector_reader {
    struct cleat_str text;
    size_t at;    /* behind the current token */
    size_t start; /* of the current token */
    enum selector_token token;
    struct cleat_str word; /* of the current token */
    struct cleat_selector *selector;
    struct cleat_err *err;
};

static bool selector_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool selector_is_special(char c)
{
    return c == '=' || c == '!' || c == '(' || c == ')' || c == ',' || c == '>' || c == '<';
}

/* The token of the special characters at @at; sets how many they are. */
static enum selector_token selector_special(struct cleat_str text, size_t at, size_t *ret_length)
{
    bool doubled = at + 1 < text.length && text.data[at + 1] == '=';
    *ret_length = 1;
    switch (text.data[at]) {
    case '(': return TOKEN_OPEN;
    case ')': return TOKEN_CLOSE;
    case ',': return TOKEN_COMMA;
    case '>': return TOKEN_GREATER;
    case '<': return TOKEN_LESS;
    case '!': *ret_length = doubled ? 2 : 1; return doubled ? TOKEN_NOT_EQUAL : TOKEN_NOT;
    case '=': *ret_length = doubled ? 2 : 1; return TOKEN_EQUAL;
    default: return TOKEN_WRONG;
    }
}

/* Moves to the next token. */
static void selector_next(struct selector_reader *reader)
{
    struct cleat_str text = reader->text;
    size_t at = reader->at;
    while (at < text.length && selector_is_blank(text.data[at]))
        at++;
    reader->start = at;
    if (at == text.length) {
        reader->token = TOKEN_END;
    } else if (selector_is_special(text.data[at])) {
        size_t length = 0;
        reader->token = selector_special(text, at, &length);
        at += length;
    } else {
        while (at < text.length && !selector_is_blank(text.data[at]) &&
               !selector_is_special(text.data[at]))
            at++;
        reader->token = TOKEN_WORD;
    }
    reader->word = (struct cleat_str){text.data + reader->start, at - reader->start};
    reader->at = at;
}

static int selector_wanted(struct selector_reader *reader, const char *what)
{
    if (reader->token == TOKEN_END)
        return cleat_err_set(reader->err, -EINVAL, "selector ends where %s should be", what);
    return cleat_err_set(reader->err, -EINVAL, "selector has \"%.*s\" at offset %zu instead of %s",
                         CLEAT_STR_ARG(reader->word), reader->start, what);
}

static int selector_value(struct selector_reader *reader, struct cleat_str value)
{
    return cleat__selector_value(reader->selector, value, reader->err);
}

/* The value of = != > <: a word, or nothing before a comma or the end. */
static int selector_one_value(struct selector_reader *reader)
{
    if (reader->token == TOKEN_END || reader->token == TOKEN_COMMA)
        return selector_value(reader, CLEAT_STR(""));
    if (reader->token != TOKEN_WORD)
        return selector_wanted(reader, "a value");
    int r = selector_value(reader, reader->word);
    selector_next(reader);
    return r;
}

/* "(a,b)": words between commas, where none stands for the empty value. */
static int selector_values(struct selector_reader *reader)
{
    int r = 0;
    if (reader->token != TOKEN_OPEN)
        return selector_wanted(reader, "\"(\"");
    selector_next(reader);
    if (reader->token == TOKEN_CLOSE) { /* no value at all: refused as a whole */
        selector_next(reader);
        return 0;
    }
    for (;;) {
        bool word = reader->token == TOKEN_WORD;
        r = selector_value(reader, word ? reader->word : CLEAT_STR(""));
        if (r < 0)
            return r;
        if (word)
            selector_next(reader);
        if (reader->token == TOKEN_CLOSE)
            break;
        if (reader->token != TOKEN_COMMA)
            return selector_wanted(reader, "\",\" or \")\"");
        selector_next(reader);
    }
    selector_next(reader);
    return 0;
}

/* The operator behind a key; false where there is none. */
static bool selector_operator(const struct selector_reader *reader, enum selector_operator *ret,
                              bool *ret_exact)
{
    *ret_exact = reader->token == TOKEN_EQUAL || reader->token == TOKEN_NOT_EQUAL;
    switch (reader->token) {
    case TOKEN_EQUAL: *ret = SELECTOR_IN; return true;
    case TOKEN_NOT_EQUAL: *ret = SELECTOR_NOT_IN; return true;
    case TOKEN_GREATER: *ret = SELECTOR_GREATER; return true;
    case TOKEN_LESS: *ret = SELECTOR_LESS; return true;
    case TOKEN_WORD:
        *ret = cleat_str_is(reader->word, "in") ? SELECTOR_IN : SELECTOR_NOT_IN;
        return *ret == SELECTOR_IN || cleat_str_is(reader->word, "notin");
    default: return false;
    }
}

static int selector_requirement(struct selector_reader *reader)
{
    enum selector_operator operator_ = SELECTOR_EXISTS;
    bool exact = false;
    bool negated = reader->token == TOKEN_NOT;
    if (negated)
        selector_next(reader);
    if (reader->token != TOKEN_WORD)
        return selector_wanted(reader, "a key");
    struct cleat_str key = reader->word;
    selector_next(reader);
    bool alone = negated || reader->token == TOKEN_END || reader->token == TOKEN_COMMA;
    if (alone)
        operator_ = negated ? SELECTOR_NOT_EXISTS : SELECTOR_EXISTS;
    else if (!selector_operator(reader, &operator_, &exact))
        return selector_wanted(reader, "an operator");
    int r = cleat__selector_require(reader->selector, key, operator_, exact, reader->err);
    if (r < 0)
        return r;
    if (!alone) {
        bool set = reader->token == TOKEN_WORD;
        selector_next(reader);
        r = set ? selector_values(reader) : selector_one_value(reader);
    }
    if (r < 0)
        return r;
    return cleat__selector_finish(reader->selector, reader->err);
}

static int selector_read(struct selector_reader *reader)
{
    selector_next(reader);
    if (reader->token == TOKEN_END)
        return 0;
    for (;;) {
        int r = selector_requirement(reader);
        if (r < 0)
            return r;
        if (reader->token == TOKEN_END)
            return 0;
        if (reader->token != TOKEN_COMMA)
            return selector_wanted(reader, "\",\" or the end");
        selector_next(reader);
    }
}

int cleat_selector_parse(struct cleat_str text, struct cleat_selector **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_selector_freep) struct cleat_selector *selector = NULL;
    if (text.length > CLEAT_SELECTOR_BYTES_MAX)
        return cleat_err_set(err, -E2BIG, "label selector has more than %zu bytes",
                             CLEAT_SELECTOR_BYTES_MAX);
    int r = cleat__selector_new(text.length, &selector);
    if (r < 0)
        return cleat_err_set(err, r, "out of memory");
    struct selector_reader reader = {
        .text = text.data ? text : CLEAT_STR(""), .selector = selector, .err = err};
    r = selector_read(&reader);
    if (r < 0)
        return r;
    cleat__selector_seal(selector);
    *ret = selector;
    selector = NULL;
    return 0;
}

static void selector_write_set(const struct selector_requirement *requirement,
                               struct cleat_buffer *buffer)
{
    cleat_buffer_text(buffer, requirement->operator_ == SELECTOR_IN ? " in (" : " notin (");
    for (size_t i = 0; i < requirement->value_count; i++) {
        if (i > 0)
            cleat_buffer_byte(buffer, ',');
        cleat_buffer_str(buffer, requirement->values[i]);
    }
    /* Nothing between the brackets is no value; a comma stands for the empty one. */
    if (requirement->value_count == 1 && requirement->values[0].length == 0)
        cleat_buffer_byte(buffer, ',');
    cleat_buffer_byte(buffer, ')');
}

static void selector_write_requirement(const struct selector_requirement *requirement,
                                       struct cleat_buffer *buffer)
{
    static const char *const signs[] = {
        [SELECTOR_IN] = "=",        [SELECTOR_NOT_IN] = "!=", [SELECTOR_EXISTS] = "",
        [SELECTOR_NOT_EXISTS] = "", [SELECTOR_GREATER] = ">", [SELECTOR_LESS] = "<"};
    bool set = requirement->operator_ == SELECTOR_IN || requirement->operator_ == SELECTOR_NOT_IN;
    if (requirement->operator_ == SELECTOR_NOT_EXISTS)
        cleat_buffer_byte(buffer, '!');
    cleat_buffer_str(buffer, requirement->key);
    if (set && !requirement->exact) {
        selector_write_set(requirement, buffer);
        return;
    }
    cleat_buffer_text(buffer, signs[requirement->operator_]);
    if (requirement->value_count)
        cleat_buffer_str(buffer, requirement->values[0]);
}

int cleat_selector_write(const struct cleat_selector *selector, struct cleat_buffer *buffer)
{
    if (selector->nothing)
        return -EINVAL;
    for (size_t i = 0; i < selector->count; i++) {
        if (i > 0)
            cleat_buffer_byte(buffer, ',');
        selector_write_requirement(&selector->requirements[i], buffer);
    }
    return buffer->failed;
}
