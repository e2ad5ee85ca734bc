/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass: what is read is evaluated. There is no tree, and both sides of an operator are always
 * read.
 */
#include "apiserver/condition.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define CONDITION_DEPTH_MAX 32
#define CONDITION_TEXT_BYTES 256

enum condition_kind {
    CONDITION_ERROR, /* of evaluation */
    CONDITION_ANY,   /* while checking: could be anything */
    CONDITION_NULL,
    CONDITION_BOOL,
    CONDITION_INT,
    CONDITION_TEXT,
    CONDITION_VALUE, /* an object or array */
};

struct condition_result {
    enum condition_kind kind;
    bool flag;
    int64_t number;
    size_t length;
    char text[CONDITION_TEXT_BYTES]; /* of literals and strings that fit */
    struct cleat_value value;        /* what it was read from, or absent for literals */
};

struct condition {
    struct cleat_str text;
    size_t at;
    unsigned depth;
    const struct cleat_api_condition_vars *vars; /* NULL: only check */
    struct cleat_err *err;
    struct cleat_err *why; /* the first error of evaluation */
    bool broken;           /* syntax */
};

static struct condition_result condition_or(struct condition *condition);

static struct condition_result condition_is(bool flag)
{
    return (struct condition_result){.kind = CONDITION_BOOL, .flag = flag};
}

static struct condition_result condition_any(enum condition_kind kind)
{
    return (struct condition_result){.kind = kind};
}

static struct condition_result condition_broken(struct condition *condition, const char *what)
{
    if (!condition->broken)
        (void)cleat_err_set(condition->err, -EINVAL, "%s at offset %zu", what, condition->at);
    condition->broken = true;
    condition->at = condition->text.length;
    return condition_any(CONDITION_ERROR);
}

static struct condition_result condition_error(struct condition *condition, struct cleat_str key)
{
    (void)cleat_err_set(condition->why, -EINVAL, "no such key: %.*s", CLEAT_STR_ARG(key));
    return condition_any(CONDITION_ERROR);
}

static void condition_blanks(struct condition *condition)
{
    while (condition->at < condition->text.length &&
           strchr(" \t\r\n", condition->text.data[condition->at]) &&
           condition->text.data[condition->at])
        condition->at++;
}

/* Takes @token where it comes next. */
static bool condition_token(struct condition *condition, const char *token)
{
    size_t length = strlen(token);
    condition_blanks(condition);
    if (condition->text.length - condition->at < length ||
        memcmp(condition->text.data + condition->at, token, length) != 0)
        return false;
    condition->at += length;
    return true;
}

static bool condition_is_word(char byte)
{
    return isalnum((unsigned char)byte) || byte == '_';
}

/* A name, or "" where none comes next. */
static struct cleat_str condition_word(struct condition *condition)
{
    condition_blanks(condition);
    const char *start = condition->text.data + condition->at;
    size_t length = 0;
    while (condition->at + length < condition->text.length && condition_is_word(start[length]))
        length++;
    if (length && isdigit((unsigned char)start[0]))
        length = 0;
    condition->at += length;
    return (struct cleat_str){start, length};
}

static struct condition_result condition_string(struct condition *condition)
{
    struct condition_result result = {.kind = CONDITION_TEXT};
    char quote = condition->text.data[condition->at++];
    while (condition->at < condition->text.length && condition->text.data[condition->at] != quote) {
        char byte = condition->text.data[condition->at++];
        if (byte == '\\')
            return condition_broken(condition, "escapes in strings aren't supported");
        if (result.length + 1 == sizeof(result.text))
            return condition_broken(condition, "string too long");
        result.text[result.length++] = byte;
    }
    if (condition->at == condition->text.length)
        return condition_broken(condition, "string without an end");
    condition->at++;
    return result;
}

static struct condition_result condition_number(struct condition *condition)
{
    struct condition_result result = {.kind = CONDITION_INT};
    bool minus = condition_token(condition, "-");
    size_t digits = 0;
    while (condition->at < condition->text.length &&
           isdigit((unsigned char)condition->text.data[condition->at]) && digits++ < 18)
        result.number = result.number * 10 + (condition->text.data[condition->at++] - '0');
    if (minus)
        result.number = -result.number;
    return digits ? result : condition_broken(condition, "expected a value");
}

/* What a JSON value is here. */
static struct condition_result condition_of(struct cleat_value value)
{
    struct condition_result result = {.kind = CONDITION_VALUE, .value = value};
    struct cleat_scratch scratch;
    switch (cleat_value_type(value)) {
    case CLEAT_TYPE_ABSENT:
    case CLEAT_TYPE_NOT_KEPT:
    case CLEAT_TYPE_NULL: result.kind = CONDITION_NULL; break;
    case CLEAT_TYPE_BOOL:
        result.kind = CONDITION_BOOL;
        result.flag = cleat_value_is_true(value);
        break;
    case CLEAT_TYPE_NUMBER:
        if (cleat_value_int(value, &result.number) == 0)
            result.kind = CONDITION_INT;
        break;
    case CLEAT_TYPE_STRING: {
        struct cleat_str text = cleat_value_text(value, &scratch);
        if (text.length < sizeof(result.text)) {
            result.kind = CONDITION_TEXT;
            result.length = text.length;
            memcpy(result.text, text.data, text.length);
        }
        break;
    }
    case CLEAT_TYPE_ARRAY:
    case CLEAT_TYPE_OBJECT: break;
    }
    return result;
}

/* The next step of a path, ".name" or "['key']"; false where there is none. */
static bool condition_step(struct condition *condition, struct cleat_str *ret_key)
{
    if (condition_token(condition, ".")) {
        *ret_key = condition_word(condition);
        if (!ret_key->length)
            (void)condition_broken(condition, "expected a field");
        return !condition->broken;
    }
    if (!condition_token(condition, "["))
        return false;
    condition_blanks(condition);
    size_t start = condition->at;
    if (start >= condition->text.length || !strchr("'\"", condition->text.data[start]))
        (void)condition_broken(condition, "expected a key in quotes");
    else
        (void)condition_string(condition);
    if (!condition->broken)
        *ret_key = (struct cleat_str){condition->text.data + start + 1, condition->at - start - 2};
    if (!condition->broken && !condition_token(condition, "]"))
        (void)condition_broken(condition, "expected ]");
    return !condition->broken;
}

/* Reads a path below the variable @root. @has: is its last step there? */
static struct condition_result condition_path(struct condition *condition, struct cleat_str root,
                                              bool has)
{
    struct cleat_value value = CLEAT_VALUE_NONE;
    struct cleat_str key = root;
    const struct cleat_api_condition_vars *vars = condition->vars;
    size_t steps = 0;
    bool missing = false; /* the last step found nothing */
    bool failed = false;  /* one before it */
    if (cleat_str_is(root, "request"))
        value = vars ? vars->request : value;
    else if (cleat_str_is(root, "object"))
        value = vars ? vars->object : value;
    else if (cleat_str_is(root, "oldObject"))
        value = vars ? vars->old_object : value;
    else
        return condition_broken(condition, "only request, object and oldObject are known");
    while (condition_step(condition, &key)) {
        failed = failed || missing;
        value = cleat_value_get_str(value, key);
        missing = !cleat_value_is_present(value);
        steps++;
    }
    if (condition->broken)
        return condition_any(CONDITION_ERROR);
    if (condition_token(condition, "("))
        return condition_broken(condition, "functions other than has() aren't supported");
    if (has && !steps)
        return condition_broken(condition, "has() wants a field");
    if (!vars)
        return condition_any(has ? CONDITION_BOOL : CONDITION_ANY);
    if (failed || (missing && !has))
        return condition_error(condition, key);
    return has ? condition_is(!missing) : condition_of(value);
}

static struct condition_result condition_has(struct condition *condition)
{
    if (!condition_token(condition, "("))
        return condition_broken(condition, "expected (");
    struct condition_result result = condition_path(condition, condition_word(condition), true);
    if (!condition->broken && !condition_token(condition, ")"))
        return condition_broken(condition, "expected )");
    return result;
}

static struct condition_result condition_group(struct condition *condition)
{
    if (++condition->depth > CONDITION_DEPTH_MAX)
        return condition_broken(condition, "nested too deep");
    struct condition_result result = condition_or(condition);
    condition->depth--;
    if (!condition->broken && !condition_token(condition, ")"))
        return condition_broken(condition, "expected )");
    return result;
}

static struct condition_result condition_primary(struct condition *condition)
{
    condition_blanks(condition);
    char next = condition->at < condition->text.length ? condition->text.data[condition->at] : 0;
    if (next == '\'' || next == '"')
        return condition_string(condition);
    if (condition_token(condition, "("))
        return condition_group(condition);
    struct cleat_str word = condition_word(condition);
    if (!word.length)
        return condition_number(condition);
    if (cleat_str_is(word, "true") || cleat_str_is(word, "false"))
        return condition_is(word.length == 4);
    if (cleat_str_is(word, "null"))
        return condition_any(CONDITION_NULL);
    if (cleat_str_is(word, "has"))
        return condition_has(condition);
    return condition_path(condition, word, false);
}

/* What must be a boolean: one, or an error. */
static struct condition_result condition_bool(struct condition *condition,
                                              struct condition_result result)
{
    if (result.kind == CONDITION_BOOL || result.kind == CONDITION_ERROR ||
        result.kind == CONDITION_ANY)
        return result;
    if (!condition->vars)
        return condition_broken(condition, "expected a boolean before");
    return condition_error(condition, CLEAT_STR("(not a boolean)"));
}

static struct condition_result condition_unary(struct condition *condition)
{
    condition_blanks(condition);
    bool not = condition->at + 1 < condition->text.length &&
               condition->text.data[condition->at] == '!' &&
               condition->text.data[condition->at + 1] != '=';
    if (!not )
        return condition_primary(condition);
    condition->at++;
    if (++condition->depth > CONDITION_DEPTH_MAX)
        return condition_broken(condition, "nested too deep");
    struct condition_result result = condition_bool(condition, condition_unary(condition));
    condition->depth--;
    return result.kind == CONDITION_BOOL ? condition_is(!result.flag) : result;
}

static bool condition_same(const struct condition_result *a, const struct condition_result *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case CONDITION_BOOL: return a->flag == b->flag;
    case CONDITION_INT: return a->number == b->number;
    case CONDITION_TEXT: return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
    case CONDITION_VALUE: return cleat_value_equal(a->value, b->value);
    default: return true;
    }
}

static struct condition_result condition_in(struct condition *condition,
                                            const struct condition_result *left)
{
    bool found = false;
    bool failed = left->kind == CONDITION_ERROR;
    if (!condition_token(condition, "["))
        return condition_broken(condition, "in wants a list");
    while (!condition->broken && !condition_token(condition, "]")) {
        struct condition_result item = condition_primary(condition);
        failed = failed || item.kind == CONDITION_ERROR;
        found = found || condition_same(left, &item);
        if (!condition_token(condition, ",") && !condition_token(condition, "]"))
            return condition_broken(condition, "expected ]");
        if (condition->at && condition->text.data[condition->at - 1] == ']')
            break;
    }
    return failed ? condition_any(CONDITION_ERROR) : condition_is(found);
}

static struct condition_result condition_relation(struct condition *condition)
{
    struct condition_result left = condition_unary(condition);
    bool equal = condition_token(condition, "==");
    if (!equal && !condition_token(condition, "!=")) {
        size_t mark = condition->at;
        if (cleat_str_is(condition_word(condition), "in"))
            return condition_in(condition, &left);
        condition->at = mark;
        return left;
    }
    struct condition_result right = condition_unary(condition);
    if (left.kind == CONDITION_ERROR || right.kind == CONDITION_ERROR)
        return condition_any(CONDITION_ERROR);
    return condition_is(condition_same(&left, &right) == equal);
}

/* @decisive is the value of one side that settles it whatever the other is. */
static struct condition_result condition_combine(const struct condition_result *left,
                                                 const struct condition_result *right,
                                                 bool decisive)
{
    if ((left->kind == CONDITION_BOOL && left->flag == decisive) ||
        (right->kind == CONDITION_BOOL && right->flag == decisive))
        return condition_is(decisive);
    if (left->kind == CONDITION_ERROR || right->kind == CONDITION_ERROR)
        return condition_any(CONDITION_ERROR);
    return condition_is(!decisive);
}

static struct condition_result condition_and(struct condition *condition)
{
    struct condition_result left = condition_relation(condition);
    while (!condition->broken && condition_token(condition, "&&")) {
        left = condition_bool(condition, left);
        struct condition_result right = condition_bool(condition, condition_relation(condition));
        left = condition_combine(&left, &right, false);
    }
    return left;
}

static struct condition_result condition_or(struct condition *condition)
{
    struct condition_result left = condition_and(condition);
    while (!condition->broken && condition_token(condition, "||")) {
        left = condition_bool(condition, left);
        struct condition_result right = condition_bool(condition, condition_and(condition));
        left = condition_combine(&left, &right, true);
    }
    return left;
}

static struct condition_result condition_run(struct condition *condition)
{
    struct condition_result result = condition_bool(condition, condition_or(condition));
    condition_blanks(condition);
    if (!condition->broken && condition->at != condition->text.length)
        return condition_broken(condition, "only ==, !=, &&, ||, !, in and has() are supported");
    return result;
}

int cleat_api_condition_check(struct cleat_str expression, struct cleat_err *err)
{
    struct condition condition = {.text = expression, .err = err};
    (void)condition_run(&condition);
    return condition.broken ? -EINVAL : 0;
}

int cleat_api_condition_eval(struct cleat_str expression,
                             const struct cleat_api_condition_vars *vars, struct cleat_err *err)
{
    struct cleat_err why = CLEAT_ERR_INIT;
    struct condition condition = {.text = expression, .vars = vars, .err = err, .why = &why};
    struct condition_result result = condition_run(&condition);
    if (condition.broken)
        return -EINVAL;
    if (result.kind != CONDITION_BOOL)
        return cleat_err_set(err, -EINVAL, "%s", cleat_err_text(&why));
    return result.flag ? 1 : 0;
}
