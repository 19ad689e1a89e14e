// SPDX-License-Identifier: Apache-2.0
// What is kept of one part of a batch between the runs of a sweep: its inputs, and the memory a plan needs to go on
// from some of its steps, within a number of bytes.  One thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/runtime/exec/step_runner_internal.h"

namespace equant {

class Snapshots {
public:
    /// Forgets what does not fit any more.
    void setBudget(std::size_t bytes);

    [[nodiscard]] bool has(std::size_t cut) const;
    /// The last place at or before `cut` to go on from; 0 is the beginning.
    [[nodiscard]] std::size_t nearest(std::size_t cut) const;
    /// The last place in (first, last] whose memory can be kept at all; `first` when there is none.
    [[nodiscard]] std::size_t lastFitting(const Plan& plan, std::size_t first, std::size_t last) const;

    /// Keeps the memory `runner` needs to go on from `cut` (it has just executed the steps before it). Others make room
    /// for it, first those that cost the least work for their bytes to compute again, the inputs last.
    void save(StepRunner& runner, std::size_t cut, const std::vector<double>& workBefore);
    /// Fills `target` as it was at `cut`. `targetBuffers`: by buffer of the target's plan, the buffer of the plan the
    /// snapshot was made from.
    void restore(std::size_t cut, StepRunner& target, const std::vector<std::size_t>& targetBuffers) const;
    /// The same plan.
    void restore(std::size_t cut, StepRunner& target) const;

    /// Kept if there is room.
    void offerInputs(const std::vector<Tensor>& inputs);
    [[nodiscard]] const std::vector<Tensor>& inputs() const { return m_inputs; }  ///< empty: not kept
    [[nodiscard]] std::size_t heldBytes() const;

private:
    struct Snapshot {
        std::size_t cut = 0;
        std::vector<std::size_t> buffers;  ///< of the plan it was made from, ascending
        std::vector<std::size_t> offsets;  ///< into bytes, by entry of buffers; the last is the size
        std::unique_ptr<std::byte[]> bytes;

        [[nodiscard]] std::size_t sizeBytes() const { return offsets.back(); }
    };

    [[nodiscard]] const Snapshot& at(std::size_t cut) const;
    void makeRoom(std::size_t bytes, const std::vector<double>& workBefore);

    std::size_t m_budget = 0;
    std::vector<Snapshot> m_snapshots;  ///< by cut, ascending
    std::vector<Tensor> m_inputs;
};

/// Copies what `to` needs at `cut` from a runner of another plan that has executed the same steps.
void handOver(StepRunner& from, StepRunner& to, std::size_t cut, const std::vector<std::size_t>& sourceBuffers);

}  // namespace equant
