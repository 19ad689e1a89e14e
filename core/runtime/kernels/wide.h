// SPDX-License-Identifier: Apache-2.0
// EQUANT_WIDE before a function that is no template: compiled for AVX-512, AVX2 and the baseline, the loader picks the
// widest version the processor has. One binary for every x86-64; elsewhere it means nothing.
#pragma once

// Sanitizers run before the resolvers may.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define EQUANT_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define EQUANT_WIDE
#endif
