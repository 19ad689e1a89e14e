// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/runtime/sweep/plan_agreement_internal.h"
#include "core/runtime/sweep/snapshots_internal.h"

namespace equant {
namespace {

std::size_t bytesOf(const std::vector<Tensor>& tensors) {
    return std::accumulate(tensors.begin(), tensors.end(), std::size_t{0},
                           [](std::size_t sum, const Tensor& tensor) { return sum + tensor.sizeBytes(); });
}

std::size_t liveBytes(const Plan& plan, std::size_t cut) {
    const auto live = liveBuffers(plan, cut);
    return std::accumulate(live.begin(), live.end(), std::size_t{0},
                           [&](std::size_t sum, std::size_t buffer) { return sum + plan.buffers[buffer].sizeBytes; });
}

}  // namespace

void Snapshots::setBudget(std::size_t bytes) {
    m_budget = bytes;
    makeRoom(0, {});
}

bool Snapshots::has(std::size_t cut) const {
    return std::any_of(m_snapshots.begin(), m_snapshots.end(),
                       [&](const Snapshot& snapshot) { return snapshot.cut == cut; });
}

std::size_t Snapshots::nearest(std::size_t cut) const {
    std::size_t best = 0;
    for (const Snapshot& snapshot : m_snapshots) {
        if (snapshot.cut <= cut) best = snapshot.cut;
    }
    return best;
}

std::size_t Snapshots::lastFitting(const Plan& plan, std::size_t first, std::size_t last) const {
    for (std::size_t cut = last; cut > first; --cut) {
        if (liveBytes(plan, cut) <= m_budget && !hasLiveDynamics(plan, cut)) return cut;
    }
    return first;
}

const Snapshots::Snapshot& Snapshots::at(std::size_t cut) const {
    return *std::find_if(m_snapshots.begin(), m_snapshots.end(),
                         [&](const Snapshot& snapshot) { return snapshot.cut == cut; });
}

void Snapshots::save(StepRunner& runner, std::size_t cut, const std::vector<double>& workBefore) {
    Snapshot snapshot;
    snapshot.cut = cut;
    snapshot.buffers = liveBuffers(runner.plan(), cut);
    snapshot.offsets = {0};
    for (const std::size_t buffer : snapshot.buffers)
        snapshot.offsets.push_back(snapshot.offsets.back() + runner.buffer(buffer).size());
    makeRoom(snapshot.sizeBytes(), workBefore);
    snapshot.bytes = std::make_unique_for_overwrite<std::byte[]>(snapshot.sizeBytes());
    for (std::size_t i = 0; i < snapshot.buffers.size(); ++i) {
        const auto source = runner.buffer(snapshot.buffers[i]);
        std::memcpy(snapshot.bytes.get() + snapshot.offsets[i], source.data(), source.size());
    }
    const auto after =
        std::find_if(m_snapshots.begin(), m_snapshots.end(), [&](const Snapshot& other) { return other.cut > cut; });
    m_snapshots.insert(after, std::move(snapshot));
}

void Snapshots::restore(std::size_t cut, StepRunner& target, const std::vector<std::size_t>& targetBuffers) const {
    if (cut == 0) return;
    const Snapshot& snapshot = at(cut);
    for (const std::size_t buffer : liveBuffers(target.plan(), cut)) {
        const auto found = std::lower_bound(snapshot.buffers.begin(), snapshot.buffers.end(), targetBuffers[buffer]);
        const auto entry = static_cast<std::size_t>(found - snapshot.buffers.begin());
        const auto to = target.buffer(buffer);
        std::memcpy(to.data(), snapshot.bytes.get() + snapshot.offsets[entry], to.size());
    }
}

void Snapshots::restore(std::size_t cut, StepRunner& target) const {
    std::vector<std::size_t> same(target.plan().buffers.size());
    std::iota(same.begin(), same.end(), std::size_t{0});
    restore(cut, target, same);
}

void Snapshots::offerInputs(const std::vector<Tensor>& inputs) {
    if (m_inputs.empty() && heldBytes() + bytesOf(inputs) <= m_budget) m_inputs = inputs;
}

std::size_t Snapshots::heldBytes() const {
    return std::accumulate(m_snapshots.begin(), m_snapshots.end(), bytesOf(m_inputs),
                           [](std::size_t sum, const Snapshot& snapshot) { return sum + snapshot.sizeBytes(); });
}

void Snapshots::makeRoom(std::size_t bytes, const std::vector<double>& workBefore) {
    while (heldBytes() + bytes > m_budget && !m_snapshots.empty()) {
        std::size_t cheapest = 0;
        double least = 0;
        for (std::size_t i = 0; i < m_snapshots.size(); ++i) {
            const std::size_t previous = i > 0 ? m_snapshots[i - 1].cut : 0;
            const double work = workBefore.empty() ? static_cast<double>(m_snapshots[i].cut - previous)
                                                   : workBefore[m_snapshots[i].cut] - workBefore[previous];
            const double worth = work / static_cast<double>(std::max<std::size_t>(m_snapshots[i].sizeBytes(), 1));
            if (i > 0 && worth >= least) continue;
            cheapest = i;
            least = worth;
        }
        m_snapshots.erase(m_snapshots.begin() + static_cast<std::ptrdiff_t>(cheapest));
    }
    if (heldBytes() + bytes > m_budget) m_inputs.clear();
}

void handOver(StepRunner& from, StepRunner& to, std::size_t cut, const std::vector<std::size_t>& sourceBuffers) {
    for (const std::size_t buffer : liveBuffers(to.plan(), cut)) {
        const auto source = from.buffer(sourceBuffers[buffer]);
        std::memcpy(to.buffer(buffer).data(), source.data(), source.size());
    }
}

}  // namespace equant
