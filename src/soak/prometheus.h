/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a run as metrics in Prometheus's text format, for the textfile collector of
 * node_exporter. Every sample has a label "run", so that runs on one machine do not mix.
 */
#ifndef CHURNFS_SOAK_PROMETHEUS_H
#define CHURNFS_SOAK_PROMETHEUS_H

#include "soak/moment.h"

/* How often the file is written. */
#define PROMETHEUS_PERIOD_NS (15ULL * 1000 * 1000 * 1000)

/* RUN is the value of the label. Pure. */
void prometheus_print(const struct moment *moment, const char *run, FILE *out);

/*
 * Replaces PATH at once (see util/replacement.h); its name without ".prom" is the label "run".
 * Returns 0 or a negative errno.
 */
int prometheus_write(const struct moment *moment, const char *path);

#endif
