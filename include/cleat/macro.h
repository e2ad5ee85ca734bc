/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes that the public headers use. Nothing here has state.
 */
#ifndef CLEAT_MACRO_H
#define CLEAT_MACRO_H

/** Marks a declaration as exported from the shared library. */
#define CLEAT_EXPORT __attribute__((visibility("default")))
/** The caller must look at the result; a deliberate ignore is a (void) cast with a reason. */
#define CLEAT_MUST_CHECK __attribute__((warn_unused_result))
/** printf-like checking: @f is the position of the format, @a of the first argument. */
#define CLEAT_PRINTF(f, a) __attribute__((format(printf, f, a)))
/** Runs @fn on the address of the variable when it leaves its scope. */
#define CLEAT_CLEANUP(fn) __attribute__((cleanup(fn)))

/** The version of the library; the build says it. */
#ifndef CLEAT_VERSION
#define CLEAT_VERSION "0.1.0"
#endif

#ifdef __cplusplus
#define CLEAT_BEGIN extern "C" {
#define CLEAT_END }
#else
#define CLEAT_BEGIN
#define CLEAT_END
#endif

#endif
