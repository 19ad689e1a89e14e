// SPDX-License-Identifier: Apache-2.0
// Decoded batches kept in memory while they fit: every layer reads the data again. Safe from any thread.
#pragma once

#include <mutex>
#include <unordered_set>
#include <vector>

#include "core/data/batch_source.h"

namespace equant {

class BatchCache {
public:
    /// `source` outlives the cache.
    explicit BatchCache(const BatchSource& source);
    BatchCache(const BatchCache&) = delete;
    BatchCache& operator=(const BatchCache&) = delete;

    /// The same batches; must not outlive the cache.
    [[nodiscard]] const BatchSource& view() const { return m_view; }
    /// How many samples were read, each counted once.
    [[nodiscard]] std::size_t samples() const { return m_samples; }

private:
    Result<std::vector<Tensor>> load(std::size_t batch);

    const BatchSource& m_source;
    BatchSource m_view;
    std::mutex m_mutex;
    std::vector<std::vector<Tensor>> m_kept;
    std::unordered_set<std::size_t> m_counted;
    std::size_t m_bytes = 0;
    std::size_t m_samples = 0;
};

}  // namespace equant
