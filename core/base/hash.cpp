// SPDX-License-Identifier: Apache-2.0
#include "core/base/hash.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace equant {

struct Hasher::State {
    XXH3_state_t xxh;
};

Hasher::Hasher() : m_state(std::make_unique<State>()) {
    XXH3_128bits_reset(&m_state->xxh);
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

Hasher& Hasher::add(std::span<const std::byte> bytes) {
    XXH3_128bits_update(&m_state->xxh, bytes.data(), bytes.size());
    return *this;
}

Hasher& Hasher::add(std::string_view text) {
    add(static_cast<std::int64_t>(text.size()));
    return add(std::as_bytes(std::span(text)));
}

Hasher& Hasher::add(std::int64_t number) {
    return add(std::as_bytes(std::span(&number, 1)));
}

std::string Hasher::hex() const {
    const XXH128_hash_t digest = XXH3_128bits_digest(&m_state->xxh);
    return fmt::format("{:016x}{:016x}", digest.high64, digest.low64);
}

}  // namespace equant
