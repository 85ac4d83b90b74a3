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

/*
 * The seed from which the four bytes of WORD, little-endian, lead to CRC: so that
 * crc32c(crc32c_before(crc, word), &word, 4) is CRC. For any WORD, crc32c_before(crc, word) is
 * crc32c_before(crc, 0) ^ word; and over CRC it is affine, as CRCs are.
 */
uint32_t crc32c_before(uint32_t crc, uint32_t word);

#endif
