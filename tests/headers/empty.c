/* SPDX-License-Identifier: Apache-2.0 */
/* Each public header is included in front of this, alone. */
extern int cleat_headers_alone;
