// SPDX-License-Identifier: Apache-2.0
// Some samples of a data set, taken evenly over it: a class-sorted folder gives some of every class.
#pragma once

#include <algorithm>
#include <string>

#include "core/data/dataset.h"

namespace equant {

/// Every n-th sample of another data set, which must outlive it; all of them when there are not more than `count`.
class SpreadSubset final : public Dataset {
public:
    SpreadSubset(const Dataset& whole, std::size_t count) : m_whole(whole), m_count(std::min(count, whole.size())) {}

    [[nodiscard]] std::size_t size() const override { return m_count; }
    [[nodiscard]] Result<Sample> load(std::size_t index) const override { return m_whole.load(at(index)); }
    [[nodiscard]] std::string sampleName(std::size_t index) const override { return m_whole.sampleName(at(index)); }
    [[nodiscard]] bool hasLabels() const override { return m_whole.hasLabels(); }
    [[nodiscard]] std::optional<std::int64_t> label(std::size_t index) const override {
        return m_whole.label(at(index));
    }
    [[nodiscard]] std::vector<std::string> classNames() const override { return m_whole.classNames(); }
    [[nodiscard]] std::filesystem::path imagePath(std::size_t index) const override {
        return m_whole.imagePath(at(index));
    }
    [[nodiscard]] std::string describe() const override { return m_whole.describe(); }
    [[nodiscard]] std::string fingerprint() const override {
        return m_whole.fingerprint() + ":" + std::to_string(m_count);
    }

private:
    [[nodiscard]] std::size_t at(std::size_t index) const { return index * m_whole.size() / m_count; }

    const Dataset& m_whole;
    std::size_t m_count;
};

}  // namespace equant
