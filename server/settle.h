/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the start needed, given back: free memory of the allocator, and pages of code and
 * constants that were read once (relocation, key making, parsing of flags). Code that is needed
 * again comes back from the page cache, a page fault each.
 */
#ifndef CLEAT_SERVER_SETTLE_H
#define CLEAT_SERVER_SETTLE_H

#include <cleat/manager.h>

/** Gives memory back once. Any thread; takes about a millisecond. */
void cleat_settle(void);
/** Does so when the base caches have been loaded. */
struct cleat_runnable cleat_settle_runnable(void);

#endif
