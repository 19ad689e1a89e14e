// SPDX-License-Identifier: Apache-2.0
// Content hashes for cache keys and provenance: 128-bit XXH3, as 32 hexadecimal digits. Not cryptographic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace equant {

class Hasher {
public:
    Hasher();
    ~Hasher();
    Hasher(Hasher&&) noexcept;
    Hasher& operator=(Hasher&&) noexcept;

    Hasher& add(std::span<const std::byte> bytes);
    Hasher& add(std::string_view text);  ///< length first, so that ("ab","c") and ("a","bc") differ
    Hasher& add(std::int64_t number);
    [[nodiscard]] std::string hex() const;

private:
    struct State;
    std::unique_ptr<State> m_state;
};

}  // namespace equant
