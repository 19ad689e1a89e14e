// SPDX-License-Identifier: Apache-2.0
// Seeded damage to bytes, for tests that feed hostile input. The same seed gives the same damage everywhere.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>

namespace equant::test {

/// SplitMix64 (Steele, Lea, Flood, 2014): the standard library's distributions differ between implementations.
class Dice {
public:
    explicit Dice(std::uint64_t seed) : m_state(seed) {}

    std::uint64_t next() {
        std::uint64_t z = m_state += 0x9E3779B97F4A7C15ULL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }
    /// A number in [0, count).
    std::size_t below(std::size_t count) { return count == 0 ? 0 : static_cast<std::size_t>(next() % count); }
    bool chance(std::size_t oneIn) { return below(oneIn) == 0; }
    /// Numbers at which arithmetic goes wrong.
    std::int64_t nastyInteger() {
        static constexpr std::array<std::int64_t, 19> kNasty = {0,
                                                                1,
                                                                -1,
                                                                2,
                                                                -2,
                                                                3,
                                                                5,
                                                                7,
                                                                64,
                                                                255,
                                                                -128,
                                                                65536,
                                                                1LL << 31,
                                                                -(1LL << 31),
                                                                (1LL << 32) + 1,
                                                                1LL << 40,
                                                                1LL << 62,
                                                                std::numeric_limits<std::int64_t>::max(),
                                                                std::numeric_limits<std::int64_t>::min()};
        return kNasty[below(kNasty.size())];
    }

private:
    std::uint64_t m_state;
};

/// Flips, overwrites, inserts, removes or repeats bytes at up to four places of [from, to).
inline std::string damaged(std::string bytes, Dice& dice, std::size_t from = 0,
                           std::size_t to = std::numeric_limits<std::size_t>::max()) {
    static constexpr std::array<unsigned char, 10> kNasty = {0x00, 0x01, 0x7F, 0x80, 0xFF, 0x08, 0x0A, 0x12, '9', '-'};
    for (std::size_t times = 1 + dice.below(4); times > 0 && !bytes.empty(); --times) {
        const std::size_t end = std::min(to, bytes.size());
        if (from >= end) break;
        const std::size_t at = from + dice.below(end - from);
        const std::size_t length = std::min(1 + dice.below(8), bytes.size() - at);
        switch (dice.below(5)) {
            case 0:
                bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ (1U << dice.below(8)));
                break;
            case 1:
                bytes[at] = static_cast<char>(kNasty[dice.below(kNasty.size())]);
                break;
            case 2:
                bytes.insert(at, length, static_cast<char>(dice.next()));
                break;
            case 3:
                bytes.erase(at, length);
                break;
            default:
                bytes.insert(at, bytes.substr(at, length));
        }
    }
    return bytes;
}

}  // namespace equant::test
