/* What a server's refusal means by its words, where it has no code for that.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_REFUSAL_H
#define SYNCD_REFUSAL_H

#include <stdbool.h>

#include "syncd/buf.h"

/* It is busy, or finds that we ask too much: another try later may do. */
bool refusal_is_temporary(struct slice text);

#endif
