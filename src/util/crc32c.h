/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_UTIL_CRC32C_H
#define CHURNFS_UTIL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4), computed by ISA-L.
 *
 * seed: 0 for a new checksum, or the result of an earlier call to go on from it.
 * Returns the checksum of the LEN bytes at BUF; crc32c(0, "123456789", 9) is 0xe3069283.
 */
uint32_t crc32c(uint32_t seed, const void *buf, size_t len);

#endif
