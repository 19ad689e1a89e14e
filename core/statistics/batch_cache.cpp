// SPDX-License-Identifier: Apache-2.0
#include "core/statistics/batch_cache.h"

namespace equant {

namespace {

constexpr std::size_t kCacheBytes = std::size_t{1} << 30;

}  // namespace

BatchCache::BatchCache(const BatchSource& source)
    : m_source(source),
      m_view{source.batches, [this](std::size_t batch) { return load(batch); }},
      m_kept(source.batches) {}

Result<std::vector<Tensor>> BatchCache::load(std::size_t batch) {
    {
        const std::scoped_lock lock(m_mutex);
        if (!m_kept[batch].empty()) return m_kept[batch];
    }
    auto loaded = m_source.load(batch);
    if (!loaded || loaded->empty()) return loaded;
    std::size_t bytes = 0;
    for (const auto& tensor : *loaded) bytes += tensor.sizeBytes();
    const std::scoped_lock lock(m_mutex);
    if (m_counted.insert(batch).second)
        m_samples += loaded->front().rank() > 0 ? static_cast<std::size_t>(loaded->front().dim(0)) : 1;
    if (m_bytes + bytes <= kCacheBytes) {
        m_bytes += bytes;
        m_kept[batch] = *loaded;
    }
    return loaded;
}

}  // namespace equant
